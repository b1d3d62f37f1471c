// Decoding: what is right is taken, what is wrong is refused with its reason, and nothing that is taken can do harm.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <random>

#include "../runtime/cpu.h"
#include "runtime_memory.h"
#include "runtime_programs.h"

namespace saddlepoint {
namespace {

std::string problemOf(const std::vector<int32_t>& words) {
  std::string problem;
  const auto program = decodeProgram(words.data(), words.size(), &problem);
  EXPECT_EQ(program == nullptr, !problem.empty());
  return problem;
}

// Whether it ends soon: views with stride 0 may be far larger than their memory.
bool isSmall(const Program& program) {
  int64_t bytes = program.arenaBytes;
  for (const Buffer& buffer : program.buffers)
    bytes += buffer.length * static_cast<int64_t>(elementBytes(buffer.dtype));
  int64_t elements = 0;
  for (const View& view : program.views) elements += view.size;
  return bytes < (1 << 20) && elements < (1 << 20) && program.scalars < (1 << 10);
}

TEST(Program, TakesAnExampleOfEveryKernel) {
  std::mt19937 random(1);
  for (const Example& example : examples()) {
    std::string problem;
    const auto program = decodeProgram(example.words.data(), example.words.size(), &problem);
    ASSERT_NE(program, nullptr) << example.name << ": " << problem;
    for (const KernelTable* table : supportedTables()) runWithMemory(program.get(), table, &random);
  }
}

TEST(Program, RefusesEveryCutOffProgram) {
  for (const Example& example : examples())
    for (size_t length = 0; length < example.words.size(); length++) {
      std::vector<int32_t> words(example.words.begin(), example.words.begin() + static_cast<std::ptrdiff_t>(length));
      EXPECT_NE(problemOf(words), "") << example.name << " cut off at " << length;
      if (length > 2) words[2] = static_cast<int32_t>(length);
      EXPECT_NE(problemOf(words), "") << example.name << " cut off at " << length << ", with that length";
    }
}

// Any one word, and any few, replaced by anything: what is taken all the same runs without harm on every tier.
TEST(Program, SurvivesCorruption) {
  std::mt19937 random(7);
  const std::vector<Example> all = examples();
  const int32_t interesting[] = {0, 1, -1, 2, 3, 4, 7, 8, 9, 64, 1 << 20, INT32_MAX, INT32_MIN, INT32_MAX - 1};
  const int rounds = std::getenv("FUZZ_ROUNDS") != nullptr ? std::atoi(std::getenv("FUZZ_ROUNDS")) : 40000;
  int taken = 0;
  for (int round = 0; round < rounds; round++) {
    std::vector<int32_t> words = all[random() % all.size()].words;
    const int changes = 1 + static_cast<int>(random() % 3);
    for (int change = 0; change < changes; change++) {
      const size_t position = 3 + random() % (words.size() - 3);
      switch (random() % 4) {
        case 0:
          words[position] = interesting[random() % (sizeof interesting / sizeof *interesting)];
          break;
        case 1:
          words[position] += static_cast<int32_t>(random() % 5) - 2;
          break;
        case 2:
          words[position] = words[3 + random() % (words.size() - 3)];
          break;
        default:
          words[position] = static_cast<int32_t>(random());
      }
    }
    std::string problem;
    const auto program = decodeProgram(words.data(), words.size(), &problem);
    EXPECT_EQ(program == nullptr, !problem.empty());
    if (program == nullptr || !isSmall(*program)) continue;
    taken++;
    runWithMemory(program.get(), supportedTables()[random() % supportedTables().size()], &random);
  }
  RecordProperty("taken", taken);
  EXPECT_GT(taken, rounds / 50);
}

TEST(Program, SaysWhatIsWrong) {
  const DType f = kFloat32, i = kInt32;
  const auto contains = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  std::vector<int32_t> words = examples()[0].words;
  words[1] = 99;
  contains(problemOf(words), "version is 99");
  contains(problemOf(single(k_sum, {{f, {2, 3}}}, {{f, {3}}}, {1}).words), "sum: its output does not have the shape");
  contains(problemOf(single(k_sum, {{f, {2, 3}}}, {{f, {2}}}, {1.5}).words), "not an integer from 0 to 2");
  contains(problemOf(single(k_max, {{f, {2, 0}}}, {{f, {2}}}, {1}).words), "reduces over nothing");
  contains(problemOf(single(k_matmul, {{f, {2, 3}}, {f, {4, 5}}}, {{f, {2, 5}}}, {}).words), "matrices do not fit");
  contains(problemOf(single(k_matmul, {{i, {2, 3}}, {i, {3, 5}}}, {{i, {2, 5}}}, {}).words), "does not take int32");
  contains(
      problemOf(single(k_conv2d, {{f, {1, 3, 5, 5}}, {f, {4, 1, 3, 3}}}, {{f, {1, 4, 3, 3}}}, {1, 1, 0, 0, 1, 1, 3, 0})
                    .words),
      "channels and groups");
  contains(
      problemOf(single(k_conv2d, {{f, {1, 3, 5, 5}}, {f, {4, 3, 3, 3}}}, {{f, {1, 4, 3, 3}}}, {0, 1, 0, 0, 1, 1, 1, 0})
                    .words),
      "attribute 0 is not an integer from 1");
  contains(problemOf(single(k_maxPool2d, {{f, {1, 1, 2, 2}}}, {{f, {1, 1, 1, 1}}}, {3, 3, 1, 1, 0, 0, 1, 1}).words),
           "window does not fit");
  contains(problemOf(single(k_gather, {{f, {2, 3}}, {i, {3, 3}}}, {{f, {3, 3}}}, {1}).words), "index is larger");
  contains(problemOf(single(k_normal, {}, {{f, {2}}}, {0, 1}, 1).words), "attribute 1");
  contains(problemOf(single(k_pad, {{f, {3}}}, {{f, {4}}}, {0, 0, 2}).words), "does not fit into its output");
  contains(problemOf(single(k_checkRange, {{f, {3}}}, {{f, {3}}}, {1, 0, 0}).words), "its range is empty");
  contains(problemOf(single(k_checkRange, {{f, {3}}}, {{f, {3}}}, {0, 1, 2}).words), "not an integer from 0 to 1");
  contains(problemOf(single(k_checkRange, {{f, {3}}}, {{f, {2}}}, {0, 1, 0}).words), "different shapes");
  contains(problemOf(single(k_checkRange, {{i, {3}}}, {{i, {3}}}, {0, 1, 0}).words), "does not take int32");
  contains(
      problemOf(single(k_elementwise, {{f, {2}}}, {{f, {2}}}, {1, 0, 2, 1, op_castInt32, 0, 1, 0, -1, -1, 1, 0}).words),
      "gives int32, output 0 is float32");
  contains(problemOf(single(k_elementwise, {{i, {2}}}, {{i, {2}}}, {1, 0, 2, 1, op_exp, 2, 1, 0, -1, -1, 1, 0}).words),
           "step 0 (exp) does not take int32");
}

TEST(Program, RefusesFoldsThatDoNotFit) {
  const DType f = kFloat32, b = kBool;
  const auto problem = [](const std::vector<TensorSpec>& outputs, double reg, double fold, double segments = 1) {
    // Registers: 0 input, 1 its negative, 2 whether that is larger, 3 never written.
    return problemOf(single(k_elementwise, {{kFloat32, {3, 5}}}, outputs,
                            {segments, 0, 4, 2, op_neg, 0, 1, 0, -1, -1, op_gt, 0, 2, 1, 0, -1, reg, fold})
                         .words);
  };
  const auto contains = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  EXPECT_EQ(problem({{f, {3}}}, 1, 1), "");
  contains(problem({{f, {3}}}, 1, 4), "unknown fold");
  contains(problem({{f, {5}}}, 1, 1), "different shapes");
  contains(problem({{f, {3, 5, 1}}}, 1, 1), "different shapes");
  contains(problem({{b, {3}}}, 2, 1), "none that has sums");
  contains(problem({{f, {3}}}, 2, 1), "folded from another dtype");
  contains(problem({{f, {3}}}, 3, 1), "folded from another dtype");
  contains(problem({{f, {3}}}, 0, 1), "not a register that steps write");
  contains(problem({{f, {3}}}, 1, 1, 2), "for each");
}

// Builds a program of one elementwise step out of `input` into `output`, windows on buffers that `prepare` makes.
std::string overlapProblem(const std::function<void(ProgramBuilder*)>& prepare) {
  ProgramBuilder builder;
  prepare(&builder);
  return problemOf(builder.words());
}

TEST(Program, RefusesOutputsThatOverlap) {
  const std::vector<double> negate = {1, 0, 2, 1, op_neg, 0, 1, 0, -1, -1, 1, 0};
  // The very same window may be overwritten,
  EXPECT_EQ(overlapProblem([&](ProgramBuilder* b) {
              const int32_t x = b->buffer(BufferKind::kInout, kFloat32, 8);
              b->instruction(k_elementwise, {{x, {2, 4}, {}}}, {{x, {2, 4}, {}}}, negate);
            }),
            "");
  // a shifted or transposed one may not,
  EXPECT_NE(overlapProblem([&](ProgramBuilder* b) {
              const int32_t x = b->buffer(BufferKind::kInout, kFloat32, 8);
              b->instruction(k_elementwise, {{x, {4}, {}, 1}}, {{x, {4}, {}}}, negate);
            }),
            "");
  EXPECT_NE(overlapProblem([&](ProgramBuilder* b) {
              const int32_t x = b->buffer(BufferKind::kInout, kFloat32, 9);
              b->instruction(k_elementwise, {{x, {3, 3}, {1, 3}}}, {{x, {3, 3}, {}}}, negate);
            }),
            "");
  // nor may an input be read after it was overwritten,
  EXPECT_NE(overlapProblem([&](ProgramBuilder* b) {
              const int32_t x = b->buffer(BufferKind::kInout, kFloat32, 4);
              const int32_t y = b->buffer(BufferKind::kOutput, kFloat32, 4);
              b->instruction(k_elementwise, {{x, {4}, {}}}, {{x, {4}, {}}, {y, {4}, {}}},
                             {1, 0, 3, 2, op_neg, 0, 1, 0, -1, -1, op_exp, 0, 2, 0, -1, -1, 1, 2, 0, 0});
            }),
            "");
  // nor may a segment overwrite what another one reads,
  const std::vector<double> negateBoth = {2, 0, 2, 1, op_neg, 0, 1, 0, -1, -1, 1, 0};
  for (const bool crossed : {false, true})
    EXPECT_EQ(overlapProblem([&](ProgramBuilder* b) {
                const int32_t x = b->buffer(BufferKind::kInout, kFloat32, 4);
                const int32_t y = b->buffer(BufferKind::kInout, kFloat32, 4);
                b->instruction(k_elementwise, {{x, {4}, {}}, {y, {4}, {}}},
                               {{crossed ? y : x, {4}, {}}, {crossed ? x : y, {4}, {}}}, negateBoth);
              }) != "",
              crossed);
  // nor any input of another kernel, nor memory that is only read.
  EXPECT_NE(overlapProblem([&](ProgramBuilder* b) {
              const int32_t x = b->buffer(BufferKind::kInout, kFloat32, 4);
              b->instruction(k_softmax, {{x, {4}, {}}}, {{x, {4}, {}}}, {});
            }),
            "");
  EXPECT_NE(overlapProblem([&](ProgramBuilder* b) {
              // The product is made where the output is, before the steps behind it read x.
              const int32_t a = b->buffer(BufferKind::kInput, kFloat32, 4);
              const int32_t x = b->buffer(BufferKind::kInout, kFloat32, 4);
              b->instruction(k_matmul, {{a, {2, 2}, {}}, {a, {2, 2}, {}}, {x, {2, 2}, {}}}, {{x, {2, 2}, {}}},
                             {1, 0, 3, 1, op_add, 0, 2, 0, 1, -1, 2, 0});
            }),
            "");
  EXPECT_NE(overlapProblem([&](ProgramBuilder* b) {
              const int32_t x = b->buffer(BufferKind::kInput, kFloat32, 4);
              b->instruction(k_elementwise, {{x, {4}, {}}}, {{x, {4}, {}}}, negate);
            }),
            "");
}

}  // namespace
}  // namespace saddlepoint
