// Running decoded programs over memory whose ends the address sanitizer guards.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include "../runtime/runner.h"

namespace saddlepoint {

// Memory for the bound buffers, each exactly as long as it must be, so that the address sanitizer sees every step
// beyond.
struct Memory {
  std::vector<std::unique_ptr<char[]>> blocks;
  std::vector<void*> addresses;

  Memory(const Program& program, std::mt19937* random) {
    for (int32_t index : program.bound) {
      const Buffer& buffer = program.buffers[index];
      const size_t bytes = buffer.length * elementBytes(buffer.dtype);
      blocks.emplace_back(new char[bytes]);
      for (size_t i = 0; i < bytes; i++)
        blocks.back()[i] = static_cast<char>(buffer.dtype == kBool ? (*random)() % 2 : (*random)());
      // Indices that are within bounds now and then.
      if (buffer.dtype == kInt32 && (*random)() % 2 == 0)
        for (int32_t i = 0; i < buffer.length; i++)
          reinterpret_cast<int32_t*>(blocks.back().get())[i] = static_cast<int32_t>((*random)() % 4);
      addresses.push_back(blocks.back().get());
    }
  }
};

// It may fail for the data, which is random, but not otherwise.
inline void runWithMemory(Program* program, const KernelTable* table, std::mt19937* random) {
  Runner runner(table);
  Memory memory(*program, random);
  const std::vector<double> scalars(static_cast<size_t>(program->scalars), 3.0);
  const std::atomic<bool> stop{false};
  RunFailure failure;
  runner.run(program, {memory.addresses.data(), scalars.data()}, stop, &failure);
  EXPECT_TRUE(failure.kind == kOk || failure.kind == kFailValue || failure.kind == kFailMemory) << failure.message;
}

}  // namespace saddlepoint
