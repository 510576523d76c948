#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wellposed {

struct SymbolTable {
    /// Whether the file carries its full table (.symtab), local functions included.
    bool full = false;
    std::string build_id;
    /// For each offset asked about: the demangled function that contains it, empty where none does.
    std::vector<std::string> names;
};

/// Looks up functions by their place in an ELF file (64-bit, this machine's byte order), without reading more of it
/// than its tables. A symbol counts only where the offset lies within its size: in a stripped file, the symbol nearest
/// to an address is usually another function. Raises std::runtime_error where the file cannot be read as ELF.
SymbolTable symbols_at(const std::string &path, const std::vector<std::uint64_t> &file_offsets);

}  // namespace wellposed
