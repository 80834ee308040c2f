#pragma once
// Names of addresses of this process: from the symbol tables of the program and its libraries
// (.symtab, else .dynsym), demangled. RT: no. What has no symbol is named after its module.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace saferl::telemetry {

class Symbols {
 public:
  Symbols();
  ~Symbols();
  const std::string& Name(uintptr_t address);

 private:
  struct Module;
  std::map<uintptr_t, std::unique_ptr<Module>> modules_;  // by their first address
  std::map<uintptr_t, std::string> names_;
};

}  // namespace saferl::telemetry
