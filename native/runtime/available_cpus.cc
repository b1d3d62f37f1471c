#include "available_cpus.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#ifdef __linux__
#include <sched.h>
#endif

namespace saddlepoint {
namespace {

// The whole of a small file; empty if there is none.
std::string readSmallFile(const std::string& path) {
  std::string text;
  FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return text;
  char buffer[4096];
  const size_t bytes = std::fread(buffer, 1, sizeof buffer, file);
  text.assign(buffer, bytes);
  std::fclose(file);
  return text;
}

int processors(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return 0;
  const double count = quota / period;
  return count > 1e6 ? 0 : std::max(1, static_cast<int>(count + 0.999));
}

// Version 2: "$quota $period" or "max $period".
int quotaV2(const std::string& directory) {
  const std::string text = readSmallFile(directory + "/cpu.max");
  double quota, period;
  return std::sscanf(text.c_str(), "%lf %lf", &quota, &period) == 2 ? processors(quota, period) : 0;
}

// Version 1: one file each; the quota is -1 if there is none.
int quotaV1(const std::string& directory) {
  return processors(std::atof(readSmallFile(directory + "/cpu.cfs_quota_us").c_str()),
                    std::atof(readSmallFile(directory + "/cpu.cfs_period_us").c_str()));
}

// The smallest quota from a group up to the root: each of them limits. Inside a container the path may name a place
// that is not mounted; the walk then ends at the mount itself, which is the container's own group.
int smallestQuota(const std::string& mount, std::string group, int (*quotaOf)(const std::string&)) {
  int smallest = 0;
  for (;;) {
    while (!group.empty() && group.back() == '/') group.pop_back();
    const int quota = quotaOf(mount + group);
    if (quota > 0 && (smallest == 0 || quota < smallest)) smallest = quota;
    if (group.empty()) return smallest;
    const size_t slash = group.rfind('/');
    group.resize(slash == std::string::npos ? 0 : slash);
  }
}

bool namesController(const std::string& list, const char* controller) {
  const std::string all = "," + list + ",";
  return all.find(std::string(",") + controller + ",") != std::string::npos;
}

}  // namespace

int controlGroupCpus(const std::string& root) {
  // Lines of "hierarchy:controllers:path"; version 2 has the hierarchy 0 and names no controllers.
  const std::string groups = readSmallFile(root + "/proc/self/cgroup");
  int smallest = 0;
  for (size_t begin = 0; begin < groups.size();) {
    size_t end = groups.find('\n', begin);
    if (end == std::string::npos) end = groups.size();
    const std::string line = groups.substr(begin, end - begin);
    begin = end + 1;
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    int quota = 0;
    if (controllers.empty())
      quota = smallestQuota(root + "/sys/fs/cgroup", path, quotaV2);
    else if (namesController(controllers, "cpu"))
      quota = std::max(smallestQuota(root + "/sys/fs/cgroup/cpu", path, quotaV1),
                       smallestQuota(root + "/sys/fs/cgroup/cpu,cpuacct", path, quotaV1));
    if (quota > 0 && (smallest == 0 || quota < smallest)) smallest = quota;
  }
  return smallest;
}

int availableCpus() {
  int count = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
#ifdef __linux__
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) count = CPU_COUNT(&mask);
#endif
  const int quota = controlGroupCpus("");
  if (quota > 0) count = std::min(count, quota);
  return std::max(count, 1);
}

}  // namespace saddlepoint
