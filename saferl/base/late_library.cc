#include "saferl/base/late_library.h"

#include <dlfcn.h>

#include "saferl/base/text.h"

namespace saferl {

LateLibrary::LateLibrary(const Names& names)
    : names_(names), library_(::dlopen(names.file, RTLD_NOW | RTLD_LOCAL)) {
  if (library_ != nullptr) return;
  const char* why = ::dlerror();
  Refuse(why == nullptr ? "it cannot be loaded" : why);
}

void* LateLibrary::FindAddress(const char* name) {
  if (library_ == nullptr) return nullptr;
  void* address = ::dlsym(library_, name);
  if (address == nullptr && status_.ok()) Refuse(Cat("it has no function ", name));
  return address;
}

void LateLibrary::Refuse(std::string_view why) {
  // The loader's own text begins with the file's name.
  const std::string_view named = why.starts_with(names_.file) ? "" : names_.file;
  status_ = absl::FailedPreconditionError(
      Cat(named, named.empty() ? "" : ": ", why, "; ", names_.used_for,
          " needs this library: install the package ", names_.package, " and start again"));
}

}  // namespace saferl
