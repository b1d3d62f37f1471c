// What the runtime reads of the machine it is on.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "../runtime/available_cpus.h"
#include "../runtime/cpu.h"
#include "../runtime/float_mode.h"

namespace saddlepoint {
namespace {

// A folder that stands for the root of a system.
class FakeRoot {
 public:
  FakeRoot() {
    path_ = testing::TempDir() + "saddlepoint-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~FakeRoot() {
    if (std::system(("rm -r " + path_).c_str()) != 0) std::perror(path_.c_str());
  }
  void write(const std::string& file, const std::string& text) const {
    for (size_t at = file.find('/', 1); at != std::string::npos; at = file.find('/', at + 1))
      mkdir((path_ + file.substr(0, at)).c_str(), 0700);
    FILE* out = std::fopen((path_ + file).c_str(), "w");
    ASSERT_NE(out, nullptr);
    std::fputs(text.c_str(), out);
    std::fclose(out);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(AvailableCpus, AtLeastOne) { EXPECT_GE(availableCpus(), 1); }

TEST(AvailableCpus, NoControlGroups) {
  const FakeRoot root;
  EXPECT_EQ(controlGroupCpus(root.path()), 0);
}

TEST(AvailableCpus, Version2TakesTheSmallestQuotaOnTheWay) {
  const FakeRoot root;
  root.write("/proc/self/cgroup", "0::/a/b\n");
  root.write("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(controlGroupCpus(root.path()), 0);
  root.write("/sys/fs/cgroup/a/cpu.max", "350000 100000\n");
  EXPECT_EQ(controlGroupCpus(root.path()), 4);
  root.write("/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(controlGroupCpus(root.path()), 1);
}

TEST(AvailableCpus, Version2InAContainer) {
  const FakeRoot root;
  root.write("/proc/self/cgroup", "0::/../system.slice/unmounted\n");
  root.write("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(controlGroupCpus(root.path()), 2);
}

TEST(AvailableCpus, Version1) {
  const FakeRoot root;
  root.write("/proc/self/cgroup", "5:memory:/x\n4:cpuacct,cpu:/x\n");
  root.write("/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n");
  root.write("/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(controlGroupCpus(root.path()), 0);
  root.write("/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "300000\n");
  EXPECT_EQ(controlGroupCpus(root.path()), 3);
}

TEST(Cpu, EveryTierCanBeAskedForAndOnlyLowers) {
  const auto& tables = supportedTables();
  ASSERT_FALSE(tables.empty());
  std::string problem;
  EXPECT_EQ(selectTable("", &problem), tables.back());
  for (const KernelTable* table : tables) EXPECT_EQ(selectTable(table->isa, &problem), table);
#if defined(__x86_64__)
  EXPECT_EQ(selectTable("avx512", &problem), tables.back());
#endif
  EXPECT_EQ(problem, "");
  EXPECT_EQ(selectTable("mmx", &problem), nullptr);
  EXPECT_NE(problem.find("'mmx'"), std::string::npos);
  EXPECT_NE(problem.find(tables.front()->isa), std::string::npos);
}

TEST(FloatMode, DenormalsAreFlushedInsideAndKeptOutside) {
  volatile double tiny = 2e-308;
  {
    const FlushDenormals flush;
    volatile double quarter = tiny / 4;
    EXPECT_EQ(quarter, 0);
  }
  volatile double quarter = tiny / 4;
  EXPECT_GT(quarter, 0);
}

}  // namespace
}  // namespace saddlepoint
