#include "saferl/telemetry/symbols.h"

#include <cxxabi.h>
#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::telemetry {
namespace {

static_assert(sizeof(void*) == 8, "reads 64-bit ELF");

struct Function {
  uint64_t start, size;
  std::string name;
};

template <class T>
bool Read(const std::string& file, uint64_t at, T* value) {
  if (at > file.size() || file.size() - at < sizeof(T)) return false;
  std::memcpy(value, file.data() + at, sizeof(T));
  return true;
}

/// The functions of one table of symbols; nothing where the file is not what it says.
std::vector<Function> FunctionsOf(const std::string& file, uint32_t table_type) {
  std::vector<Function> functions;
  Elf64_Ehdr head;
  if (!Read(file, 0, &head) || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) return functions;
  for (uint32_t i = 0; i < head.e_shnum; ++i) {
    Elf64_Shdr table, names;
    if (!Read(file, head.e_shoff + i * sizeof table, &table) || table.sh_type != table_type ||
        !Read(file, head.e_shoff + table.sh_link * sizeof names, &names)) {
      continue;
    }
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      if (!Read(file, table.sh_offset + at, &symbol)) break;
      const uint64_t name = names.sh_offset + symbol.st_name;
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value == 0 ||
          name >= file.size()) {
        continue;
      }
      functions.push_back({symbol.st_value, symbol.st_size, std::string(file.c_str() + name)});
    }
  }
  std::ranges::sort(functions, {}, &Function::start);
  return functions;
}

std::string Demangled(const std::string& name) {
  int status = 0;
  char* plain = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  if (status != 0 || plain == nullptr) return name;
  std::string text = plain;
  std::free(plain);
  return text;
}

}  // namespace

struct Symbols::Module {
  std::string path, name;
  uintptr_t base = 0, end = 0;
  bool loaded = false;
  std::vector<Function> functions;
};

Symbols::Symbols() {
  const auto add = [](dl_phdr_info* info, size_t, void* self) {
    auto module = std::make_unique<Module>();
    module->base = info->dlpi_addr;
    module->path = info->dlpi_name[0] == '\0' ? "/proc/self/exe" : info->dlpi_name;
    module->name = info->dlpi_name[0] == '\0' ? std::string(program_invocation_short_name)
                                              : module->path.substr(module->path.rfind('/') + 1);
    uintptr_t first = UINTPTR_MAX;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& segment = info->dlpi_phdr[i];
      if (segment.p_type != PT_LOAD) continue;
      first = std::min(first, info->dlpi_addr + segment.p_vaddr);
      module->end = std::max(module->end, info->dlpi_addr + segment.p_vaddr + segment.p_memsz);
    }
    if (first != UINTPTR_MAX) static_cast<Symbols*>(self)->modules_[first] = std::move(module);
    return 0;
  };
  dl_iterate_phdr(add, this);
}
Symbols::~Symbols() = default;

const std::string& Symbols::Name(uintptr_t address) {
  const auto [entry, is_new] = names_.try_emplace(address);
  std::string& name = entry->second;
  if (!is_new) return name;
  auto it = modules_.upper_bound(address);
  if (it == modules_.begin() || address >= std::prev(it)->second->end) return name = "[unknown]";
  Module& module = *std::prev(it)->second;
  if (!module.loaded) {
    module.loaded = true;
    const std::string file = ReadFile(module.path, size_t{2} << 30).value_or("");
    module.functions = FunctionsOf(file, SHT_SYMTAB);
    if (module.functions.empty()) module.functions = FunctionsOf(file, SHT_DYNSYM);
  }
  const uint64_t offset = address - module.base;
  auto after = std::ranges::upper_bound(module.functions, offset, {}, &Function::start);
  if (after != module.functions.begin()) {
    const Function& function = *std::prev(after);
    if (offset < function.start + std::max<uint64_t>(function.size, 1)) {
      return name = Demangled(function.name);
    }
  }
  return name = module.name;
}

}  // namespace saferl::telemetry
