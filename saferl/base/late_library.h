#pragma once
// LateLibrary: the functions of a shared library that is loaded when first used, so that a program
// which never does neither needs it nor carries its memory. Types are those of the library's own
// header: a call with the wrong arguments does not compile.
//
//   struct Zlib final : LateLibrary {
//     Zlib() : LateLibrary({"libz.so.1", "compression", "zlib1g"}) {}
//     SAFERL_LATE(crc32);
//   };
//   const Zlib& LoadedZlib() { static const Zlib zlib; return zlib; }   // safe among threads
//   SAFERL_RETURN_IF_ERROR(LoadedZlib().status());
//   LoadedZlib().crc32(...);                                            // only when status is OK
//
// Errors: kFailedPrecondition naming the library, what needs it and the package that brings it.
// A loaded library stays until the program ends. RT: no; from then on a call by pointer.

#include <string>
#include <string_view>

#include "saferl/base/status.h"

namespace saferl {

class LateLibrary {
 public:
  struct Names {
    const char* file;      ///< as the linker would ask for it: "libz.so.1"
    const char* used_for;  ///< what cannot be done without it
    const char* package;   ///< Debian's
  };
  LateLibrary(const LateLibrary&) = delete;
  LateLibrary& operator=(const LateLibrary&) = delete;
  /// OK: every function is there. Otherwise none may be called.
  const Status& status() const { return status_; }

 protected:
  explicit LateLibrary(const Names& names);
  ~LateLibrary() = default;
  template <class Function>
  Function Find(const char* name) {
    return reinterpret_cast<Function>(FindAddress(name));
  }

 private:
  void* FindAddress(const char* name);
  void Refuse(std::string_view why);

  const Names names_;
  void* const library_;
  Status status_;
};

/// Declares a member of the function's name that points to it. For functions that are not
/// overloaded, as those of C.
#define SAFERL_LATE(function) \
  decltype(&::function) const function = Find<decltype(&::function)>(#function)

}  // namespace saferl
