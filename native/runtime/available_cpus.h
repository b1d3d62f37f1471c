// How many processors this process may keep busy.
#pragma once
#include <string>

namespace saddlepoint {

// At least 1: the affinity mask, lowered by the quota of the control group.
int availableCpus();

// The quota of the control groups (version 1 or 2) that this process is in, rounded up to whole processors; 0 if there
// is none. `root` stands before /proc and /sys, for tests.
int controlGroupCpus(const std::string& root);

}  // namespace saddlepoint
