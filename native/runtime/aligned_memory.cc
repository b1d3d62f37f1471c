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
#ifdef __linux__
  if (huge) madvise(data_, rounded, MADV_HUGEPAGE);  // a wish; refusal changes nothing
#endif
  bytes_ = rounded;
  return data_;
}

}  // namespace saddlepoint
