// Which instruction sets the kernels were compiled for, and which of them this processor and system can run.
#pragma once
#include <string>
#include <vector>

#include "../kernels/kernel.h"

namespace saddlepoint {

// The tables that can run here, the lowest tier first; never empty.
const std::vector<const KernelTable*>& supportedTables();

// The best table that is not above the tier `name`; any tier if it is empty. Null if no tier has that name, and then
// `problem` says which there are.
const KernelTable* selectTable(const std::string& name, std::string* problem);

}  // namespace saddlepoint
