// A block of memory that only grows: arenas and scratch space, kept from one run to the next.
#pragma once
#include <cstddef>

namespace saddlepoint {

class AlignedMemory {
 public:
  AlignedMemory() = default;
  ~AlignedMemory();
  AlignedMemory(const AlignedMemory&) = delete;
  AlignedMemory& operator=(const AlignedMemory&) = delete;

  // At least `bytes`, aligned to 64, with any content; null if there is no memory. Invalidates what it gave before.
  void* reserve(size_t bytes);

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// Asks the system to back the whole huge pages within this memory as such: a fresh page costs more than writing it.
void wishForHugePages(void* data, size_t bytes);

}  // namespace saddlepoint
