#include "aligned_memory.h"

#include <stdint.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace saddlepoint {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

AlignedMemory::~AlignedMemory() { free(data_); }

void* AlignedMemory::reserve(size_t bytes) {
  if (data_ != nullptr && bytes <= bytes_) return data_;
  free(data_);
  data_ = nullptr;
  bytes_ = 0;
  const bool huge = bytes >= kHugePage;
  const size_t alignment = huge ? kHugePage : kAlignment;
  if (bytes > SIZE_MAX - alignment) return nullptr;
  const size_t rounded = bytes == 0 ? alignment : (bytes + alignment - 1) / alignment * alignment;
  if (posix_memalign(&data_, alignment, rounded) != 0) {
    data_ = nullptr;
    return nullptr;
  }
  wishForHugePages(data_, rounded);
  bytes_ = rounded;
  return data_;
}

void wishForHugePages([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#ifdef __linux__
  const uintptr_t address = reinterpret_cast<uintptr_t>(data);
  const uintptr_t begin = (address + kHugePage - 1) / kHugePage * kHugePage, end = (address + bytes) / kHugePage * kHugePage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // refusal changes nothing
#endif
}

}  // namespace saddlepoint
