// Which compiled kernels this processor can run, and which of them are in use.
#pragma once

#include <string_view>
#include <vector>

#include "statistics_parts.hpp"

namespace wellposed {

// The best first. The baseline is always there.
const std::vector<const Kernels *> &available_kernels();

// The best available, or those named by the environment variable WELLPOSED_INSTRUCTION_SET (an unknown or unavailable
// name there is ignored), or those last chosen with `use_kernels`.
const Kernels &kernels_in_use();

// Returns false, changing nothing, where no available set has this name.
bool use_kernels(std::string_view name);

}  // namespace wellposed
