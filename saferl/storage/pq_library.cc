#include "saferl/storage/pq_library.h"

namespace saferl::storage {

PqLibrary::PqLibrary() : LateLibrary({"libpq.so.5", "a PostgreSQL database", "libpq5"}) {}

const PqLibrary& Libpq() {
  static const PqLibrary library;
  return library;
}

}  // namespace saferl::storage
