#include "sampler_symbols.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <stdexcept>

namespace wellposed {
namespace {

/// A file mapped for reading; pages are loaded as they are touched.
class MappedFile {
public:
    explicit MappedFile(const std::string &path) {
        const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (file < 0) throw std::runtime_error("cannot open " + path);
        struct stat about {};
        if (fstat(file, &about) == 0 && about.st_size > 0) {
            void *start = mmap(nullptr, static_cast<std::size_t>(about.st_size), PROT_READ, MAP_PRIVATE, file, 0);
            if (start != MAP_FAILED) {
                start_ = static_cast<const unsigned char *>(start);
                size_ = static_cast<std::size_t>(about.st_size);
            }
        }
        close(file);
        if (!start_) throw std::runtime_error("cannot read " + path);
    }
    ~MappedFile() { munmap(const_cast<unsigned char *>(start_), size_); }
    MappedFile(const MappedFile &) = delete;
    MappedFile &operator=(const MappedFile &) = delete;

    template <class T>
    const T *at(std::uint64_t offset, std::uint64_t count = 1) const {
        if (offset > size_ || count > (size_ - offset) / sizeof(T)) throw std::runtime_error("the ELF file is cut off");
        return reinterpret_cast<const T *>(start_ + offset);
    }
    std::size_t size() const { return size_; }

private:
    const unsigned char *start_ = nullptr;
    std::size_t size_ = 0;
};

std::string demangled(const char *name) {
    int status = 0;
    char *readable = name[0] == '_' && name[1] == 'Z' ? abi::__cxa_demangle(name, nullptr, nullptr, &status) : nullptr;
    std::string text = readable ? readable : name;
    std::free(readable);
    return text;
}

std::string build_id_in(const MappedFile &file, const Elf64_Shdr &section) {
    const auto *bytes = file.at<unsigned char>(section.sh_offset, section.sh_size);
    for (std::uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= section.sh_size;) {
        Elf64_Nhdr note;
        std::memcpy(&note, bytes + at, sizeof note);
        const std::uint64_t name = at + sizeof note;
        const std::uint64_t content = name + ((note.n_namesz + 3u) & ~3u);
        if (content + note.n_descsz > section.sh_size) return {};
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(bytes + name, "GNU", 4) == 0) {
            static constexpr char digits[] = "0123456789abcdef";
            std::string text;
            for (std::uint64_t i = 0; i < note.n_descsz; ++i) {
                text += digits[bytes[content + i] >> 4];
                text += digits[bytes[content + i] & 15];
            }
            return text;
        }
        at = content + ((note.n_descsz + 3u) & ~3u);
    }
    return {};
}

constexpr std::uint64_t unmapped = ~0ull;

std::uint64_t virtual_address(const MappedFile &file, const Elf64_Ehdr &head, std::uint64_t offset) {
    const auto *segments = file.at<Elf64_Phdr>(head.e_phoff, head.e_phnum);
    for (int i = 0; i < head.e_phnum; ++i)
        if (segments[i].p_type == PT_LOAD && offset >= segments[i].p_offset &&
            offset - segments[i].p_offset < segments[i].p_filesz)
            return offset - segments[i].p_offset + segments[i].p_vaddr;
    return unmapped;
}

/// One pass over the table. The narrowest function that contains an address wins, then a global one over a local.
void match(const MappedFile &file, const Elf64_Shdr &table, const Elf64_Shdr &strings,
           const std::vector<std::uint64_t> &addresses, const std::vector<std::size_t> &order,
           std::vector<std::string> &names) {
    const std::uint64_t count = table.sh_size / sizeof(Elf64_Sym);
    const auto *symbols = file.at<Elf64_Sym>(table.sh_offset, count);
    const char *text = file.at<char>(strings.sh_offset, strings.sh_size);
    std::vector<const Elf64_Sym *> best(addresses.size(), nullptr);
    for (std::uint64_t i = 0; i < count; ++i) {
        const Elf64_Sym &symbol = symbols[i];
        const int type = ELF64_ST_TYPE(symbol.st_info);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol.st_size == 0 || symbol.st_shndx == SHN_UNDEF)
            continue;
        auto first = std::lower_bound(order.begin(), order.end(), symbol.st_value,
                                      [&](std::size_t a, std::uint64_t value) { return addresses[a] < value; });
        for (; first != order.end() && addresses[*first] - symbol.st_value < symbol.st_size; ++first)
            if (addresses[*first] != unmapped && (!best[*first] || symbol.st_size < best[*first]->st_size))
                best[*first] = &symbol;
    }
    for (std::size_t i = 0; i < best.size(); ++i)
        if (best[i] && best[i]->st_name < strings.sh_size &&
            std::memchr(text + best[i]->st_name, 0, strings.sh_size - best[i]->st_name))
            names[i] = demangled(text + best[i]->st_name);
}

}  // namespace

SymbolTable symbols_at(const std::string &path, const std::vector<std::uint64_t> &file_offsets) {
    const MappedFile file(path);
    const auto &head = *file.at<Elf64_Ehdr>(0);
    if (std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64)
        throw std::runtime_error(path + " is no 64-bit ELF file");

    std::vector<std::uint64_t> addresses;
    for (const std::uint64_t offset : file_offsets) addresses.push_back(virtual_address(file, head, offset));
    std::vector<std::size_t> order(addresses.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return addresses[a] < addresses[b]; });

    SymbolTable found;
    found.names.resize(addresses.size());
    const auto *sections = file.at<Elf64_Shdr>(head.e_shoff, head.e_shnum);
    const Elf64_Shdr *table = nullptr;
    for (int i = 0; i < head.e_shnum; ++i) {
        if (sections[i].sh_type == SHT_SYMTAB) table = &sections[i];
        if (sections[i].sh_type == SHT_DYNSYM && !table) table = &sections[i];
        if (sections[i].sh_type == SHT_NOTE && found.build_id.empty()) found.build_id = build_id_in(file, sections[i]);
    }
    found.full = table && table->sh_type == SHT_SYMTAB;
    if (table && table->sh_link < head.e_shnum)
        match(file, *table, sections[table->sh_link], addresses, order, found.names);
    return found;
}

}  // namespace wellposed
