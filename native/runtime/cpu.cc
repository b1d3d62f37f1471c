#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

// Named one by one: a linker drops from an archive what nobody names.
#if defined(__x86_64__)
#define SADDLEPOINT_TIERS(X) X(sse2) X(avx2) X(avx512)
#elif defined(__aarch64__)
#define SADDLEPOINT_TIERS(X) X(neon)
#else
#error "saddlepoint has no kernels for this processor; its portable backend runs everywhere"
#endif

#define SADDLEPOINT_DECLARE(isa) extern "C" const saddlepoint::KernelTable saddlepoint_##isa##_table;
SADDLEPOINT_TIERS(SADDLEPOINT_DECLARE)
#undef SADDLEPOINT_DECLARE

namespace saddlepoint {
namespace {

enum Tier {
#define SADDLEPOINT_TIER(isa) tier_##isa,
  SADDLEPOINT_TIERS(SADDLEPOINT_TIER)
#undef SADDLEPOINT_TIER
};

#if defined(__x86_64__)

// What the operating system saves on a context switch: without that, a processor's registers must not be used.
uint64_t enabledState() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

Tier detect() {
  constexpr uint32_t kFma = 1u << 12, kOsxsave = 1u << 27, kAvx = 1u << 28;                 // leaf 1, ecx
  constexpr uint32_t kAvx2 = 1u << 5, kAvx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // leaf 7, ebx
  constexpr uint64_t kYmmState = 0x6, kZmmState = 0xe6;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return tier_sse2;
  const bool avxFma = (c & kFma) && (c & kOsxsave) && (c & kAvx);
  if (!avxFma || (enabledState() & kYmmState) != kYmmState) return tier_sse2;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & kAvx2)) return tier_sse2;
  if ((b & kAvx512) != kAvx512 || (enabledState() & kZmmState) != kZmmState) return tier_avx2;
  return tier_avx512;
}

#else

Tier detect() { return tier_neon; }

#endif

}  // namespace

const std::vector<const KernelTable*>& supportedTables() {
  static const std::vector<const KernelTable*>* const tables = [] {
#define SADDLEPOINT_TABLE(isa) &saddlepoint_##isa##_table,
    const KernelTable* const compiled[] = {SADDLEPOINT_TIERS(SADDLEPOINT_TABLE)};
#undef SADDLEPOINT_TABLE
    return new std::vector<const KernelTable*>(compiled, compiled + detect() + 1);
  }();
  return *tables;
}

const KernelTable* selectTable(const std::string& name, std::string* problem) {
  const auto& tables = supportedTables();
  if (name.empty()) return tables.back();
  std::string possible;
  size_t tier = 0;
#define SADDLEPOINT_MATCH(isa)                                                      \
  if (name == #isa) return tables[tier < tables.size() ? tier : tables.size() - 1]; \
  possible += (tier++ == 0 ? "" : ", ") + std::string(#isa);
  SADDLEPOINT_TIERS(SADDLEPOINT_MATCH)
#undef SADDLEPOINT_MATCH
  *problem = "SADDLEPOINT_ISA: unknown instruction set '" + name + "'; possible are " + possible;
  return nullptr;
}

}  // namespace saddlepoint
