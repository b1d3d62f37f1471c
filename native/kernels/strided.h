// Reads a strided view in row-major order, a block at a time.
#pragma once
#include "kernel.h"

namespace saddlepoint {
namespace {

// A view's dims of more than one element, neighbours merged where their strides allow; innermost first.
struct StridedDims {
  int32_t rank;
  int32_t shape[kMaxRank];
  int64_t strides[kMaxRank];
};

inline StridedDims collapseDims(const int32_t* shape, const int32_t* strides, int rank) {
  StridedDims dims;
  dims.rank = 0;
  for (int i = rank - 1; i >= 0; i--) {
    if (shape[i] == 1) continue;
    const int last = dims.rank - 1;
    if (last >= 0 && strides[i] == dims.strides[last] * dims.shape[last]) {
      dims.shape[last] *= shape[i];
    } else {
      dims.shape[dims.rank] = shape[i];
      dims.strides[dims.rank] = strides[i];
      dims.rank++;
    }
  }
  return dims;
}

inline bool isContiguous(const StridedDims& dims) { return dims.rank == 0 || (dims.rank == 1 && dims.strides[0] == 1); }
inline bool isSingleValue(const StridedDims& dims) {
  return dims.rank == 0 || (dims.rank == 1 && dims.strides[0] == 0);
}

// Where row-major element number `index` lies, and how to go on from there.
struct Odometer {
  int32_t position[kMaxRank];
  int64_t offset;  // in elements

  void seek(const StridedDims& dims, int64_t index) {
    offset = 0;
    for (int i = 0; i < dims.rank; i++) {
      position[i] = static_cast<int32_t>(index % dims.shape[i]);
      index /= dims.shape[i];
      offset += position[i] * dims.strides[i];
    }
  }

  // Goes on by `count` elements of the innermost dim, at most to its end.
  void advance(const StridedDims& dims, int count) {
    position[0] += count;
    offset += count * dims.strides[0];
    for (int i = 0; position[i] == dims.shape[i]; i++) {
      position[i] = 0;
      offset -= dims.shape[i] * dims.strides[i];
      if (i + 1 == dims.rank) return;
      position[i + 1]++;
      offset += dims.strides[i + 1];
    }
  }
};

template <typename T>
void gatherRun(T* to, const T* from, int64_t stride, int count) {
  if (stride == 1) {
    // A call of memcpy costs more than a few elements do.
    if (count >= 32) {
      __builtin_memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
    } else {
      for (int i = 0; i < count; i++) to[i] = from[i];
    }
  } else if (stride == 0) {
    const T value = *from;
    for (int i = 0; i < count; i++) to[i] = value;
  } else {
    for (int i = 0; i < count; i++) to[i] = from[i * stride];
  }
}

// Copies the next `count` elements to `to`; rank is at least 1.
template <typename T>
void gather(T* to, const T* data, const StridedDims& dims, Odometer& odometer, int count) {
  while (count > 0) {
    const int left = dims.shape[0] - odometer.position[0];
    const int run = left < count ? left : count;
    gatherRun(to, data + odometer.offset, dims.strides[0], run);
    odometer.advance(dims, run);
    to += run;
    count -= run;
  }
}

inline void gatherBytes(void* to, const void* data, const StridedDims& dims, Odometer& odometer, int count, int bytes) {
  if (bytes == 4) {
    gather(static_cast<uint32_t*>(to), static_cast<const uint32_t*>(data), dims, odometer, count);
  } else if (bytes == 8) {
    gather(static_cast<uint64_t*>(to), static_cast<const uint64_t*>(data), dims, odometer, count);
  } else {
    gather(static_cast<uint8_t*>(to), static_cast<const uint8_t*>(data), dims, odometer, count);
  }
}

template <typename T>
void fill(void* to, const void* value, int count) {
  T* out = static_cast<T*>(to);
  const T x = *static_cast<const T*>(value);
  for (int i = 0; i < count; i++) out[i] = x;
}

inline void fillBytes(void* to, const void* value, int count, int bytes) {
  if (bytes == 4) {
    fill<uint32_t>(to, value, count);
  } else if (bytes == 8) {
    fill<uint64_t>(to, value, count);
  } else {
    fill<uint8_t>(to, value, count);
  }
}

}  // namespace
}  // namespace saddlepoint
