// The thread pool and the executor, for the thread sanitizer above all.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "../runtime/cpu.h"
#include "../runtime/executor.h"
#include "../runtime/thread_pool.h"
#include "runtime_programs.h"

namespace saddlepoint {
namespace {

struct Counts {
  std::vector<std::atomic<int>> parts;
  std::atomic<int> badWorkers{0};
  explicit Counts(int count) : parts(static_cast<size_t>(count)) {}
  static void body(void* context, int part, int worker) {
    Counts* counts = static_cast<Counts*>(context);
    counts->parts[static_cast<size_t>(part)]++;
    if (worker < 0 || worker >= ThreadPool::kMaxThreads) counts->badWorkers++;
  }
  bool eachOnce() const {
    for (const auto& part : parts)
      if (part != 1) return false;
    return badWorkers == 0;
  }
};

TEST(ThreadPool, RunsEveryPartOnceForAnyThreadCount) {
  ThreadPool& pool = ThreadPool::instance();
  pool.addUser();
  for (int threads : {1, 2, 3, 8, 2}) {
    pool.setThreads(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int parts : {0, 1, 2, 3, 7, 100, 1000})
      for (int round = 0; round < 50; round++) {
        Counts counts(parts);
        pool.run(parts, &Counts::body, &counts);
        ASSERT_TRUE(counts.eachOnce()) << threads << " threads, " << parts << " parts";
      }
  }
  pool.removeUser();
}

TEST(ThreadPool, RunsNestedCallsSerially) {
  ThreadPool& pool = ThreadPool::instance();
  pool.addUser();
  pool.setThreads(3);
  std::atomic<int> inner{0}, strangers{0};
  struct Context {
    std::atomic<int>*inner, *strangers;
    int outerWorker;
  };
  struct Outer {
    std::atomic<int>*inner, *strangers;
  } outer{&inner, &strangers};
  pool.run(
      16,
      [](void* context, int, int worker) {
        Context nested{static_cast<Outer*>(context)->inner, static_cast<Outer*>(context)->strangers, worker};
        ThreadPool::instance().run(
            4,
            [](void* c, int, int innerWorker) {
              Context* nested = static_cast<Context*>(c);
              (*nested->inner)++;
              if (innerWorker != nested->outerWorker) (*nested->strangers)++;
            },
            &nested);
      },
      &outer);
  EXPECT_EQ(inner, 64);
  EXPECT_EQ(strangers, 0);
  pool.removeUser();
}

TEST(ThreadPool, SeveralCallersAtOnce) {
  ThreadPool& pool = ThreadPool::instance();
  pool.addUser();
  pool.setThreads(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; i++)
    callers.emplace_back([&] {
      for (int round = 0; round < 500; round++) {
        Counts counts(20);
        ThreadPool::instance().run(20, &Counts::body, &counts);
        if (!counts.eachOnce()) wrong++;
      }
    });
  for (int i = 0; i < 20; i++) pool.setThreads(1 + i % 4);
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
  pool.removeUser();
}

std::shared_ptr<Program> decoded(const std::vector<int32_t>& words) {
  std::string problem;
  std::shared_ptr<Program> program = decodeProgram(words.data(), words.size(), &problem);
  EXPECT_NE(program, nullptr) << problem;
  return program;
}

// One buffer that `steps` instructions overwrite with itself plus 1 (a scalar).
std::shared_ptr<Program> increment(int32_t length, int steps) {
  ProgramBuilder builder(1);
  const int32_t x = builder.buffer(BufferKind::kInout, kFloat32, length);
  for (int i = 0; i < steps; i++)
    builder.instruction(k_elementwise, {{x, {length}, {}}}, {{x, {length}, {}}},
                        {1, 1, 3, 1, kFloat32, op_add, kFloat32, 2, 0, 1, -1, 2, 0, 0});
  return decoded(builder.words());
}

// Fails with kFailValue: an index outside of the table.
std::shared_ptr<Program> failing() {
  return decoded(single(k_embedding, {{kFloat32, {1, 1}}, {kInt32, {1}}}, {{kFloat32, {1, 1}}}, {}).words);
}

struct Notified {
  std::atomic<int> count{0};
  static void notify(void* self) { static_cast<Notified*>(self)->count++; }
};

std::unique_ptr<Request> request(Executor* executor, int64_t id, const std::shared_ptr<Program>& program,
                                 const std::vector<void*>& bindings, std::vector<int64_t> after = {}) {
  auto result = executor->newRequest();
  result->id = id;
  result->program = program;
  result->bindings = bindings;
  result->scalars = {1};
  result->after = std::move(after);
  return result;
}

TEST(Executor, RunsInOrderAndReports) {
  Notified notified;
  Executor executor(supportedTables().back(), &Notified::notify, &notified);
  std::vector<float> x(5000, 0);
  const auto program = increment(5000, 3);
  std::vector<Completion> ended;
  int64_t id = 0, collected = 0;
  for (int round = 0; round < 200; round++) {
    for (int i = 0; i < 5; i++) ASSERT_TRUE(executor.submit(request(&executor, ++id, program, {x.data()})));
    if (round % 3 == 0) executor.wait(id - 2);
    executor.collect(&ended);
    for (const Completion& completion : ended) {
      EXPECT_EQ(completion.id, ++collected);
      EXPECT_EQ(completion.failure.kind, kOk);
    }
  }
  RunFailure failure;
  void* const bindings[] = {x.data()};
  const double one = 1;
  executor.runInline(program.get(), {bindings, &one}, &failure);  // after what is queued
  EXPECT_TRUE(executor.idle());
  for (float value : x) ASSERT_EQ(value, 3003);
  executor.collect(&ended);
  EXPECT_EQ(collected + static_cast<int64_t>(ended.size()), 1000);
  executor.stop();
  EXPECT_EQ(notified.count, 1000);
}

struct NotifiedHere {
  const std::thread::id here = std::this_thread::get_id();
  std::atomic<int> count{0}, onThisThread{0};
  static void notify(void* self) {
    auto* notified = static_cast<NotifiedHere*>(self);
    notified->count++;
    if (std::this_thread::get_id() == notified->here) notified->onThisThread++;
  }
};

TEST(Executor, WhoeverWaitsRunsWhatHasNotBegun) {
  NotifiedHere notified;
  Executor executor(supportedTables().back(), &NotifiedHere::notify, &notified);
  std::vector<float> x(5000, 0);
  const auto program = increment(5000, 3);
  std::vector<Completion> ended;
  for (int64_t round = 0; round < 100; round++) {
    usleep(500);  // until the executor's thread sleeps
    for (int64_t id = 3 * round + 1; id <= 3 * round + 3; id++)
      ASSERT_TRUE(executor.submit(request(&executor, id, program, {x.data()})));
    executor.wait(3 * round + 2);
    executor.collect(&ended);
    ASSERT_GE(ended.size(), 2u);
    executor.wait(3 * round + 3);
    ASSERT_TRUE(executor.idle());
    executor.collect(&ended);
  }
  for (float value : x) ASSERT_EQ(value, 900);
  executor.stop();
  EXPECT_EQ(notified.count, 300);
  EXPECT_GT(notified.onThisThread, 0);
}

TEST(Executor, DependentsOfAFailureFailWithItsCause) {
  Notified notified;
  Executor executor(supportedTables().back(), &Notified::notify, &notified);
  float x = 0, table = 0, row = 0;
  int32_t index = 5;
  const auto good = increment(1, 1);
  const auto bad = failing();
  ASSERT_TRUE(executor.submit(request(&executor, 1, good, {&x})));
  ASSERT_TRUE(executor.submit(request(&executor, 2, bad, {&table, &index, &row})));
  ASSERT_TRUE(executor.submit(request(&executor, 3, good, {&x}, {1, 2})));
  ASSERT_TRUE(executor.submit(request(&executor, 4, good, {&x}, {1})));
  ASSERT_TRUE(executor.submit(request(&executor, 5, good, {&x}, {3})));
  executor.wait(5);
  std::vector<Completion> ended;
  executor.collect(&ended);
  ASSERT_EQ(ended.size(), 5u);
  EXPECT_EQ(ended[0].failure.kind, kOk);
  EXPECT_EQ(ended[1].failure.kind, kFailValue);
  EXPECT_EQ(ended[1].failure.instruction, 0);
  EXPECT_EQ(ended[1].failure.cause, -1);
  EXPECT_NE(std::string(ended[1].failure.message), "");
  for (size_t i : {size_t{2}, size_t{4}}) {
    EXPECT_EQ(ended[i].failure.kind, kFailValue);
    EXPECT_EQ(ended[i].failure.instruction, -1);
    EXPECT_EQ(ended[i].failure.cause, 2);
  }
  EXPECT_EQ(ended[3].failure.kind, kOk);
  EXPECT_EQ(x, 2);
}

TEST(Executor, AbortsWhatIsQueuedAndWhatDependsOnIt) {
  Notified notified;
  Executor executor(supportedTables().back(), &Notified::notify, &notified);
  std::vector<float> x(1 << 16, 0);
  const auto program = increment(1 << 16, 300);
  for (int id = 1; id <= 4; id++)
    ASSERT_TRUE(executor.submit(
        request(&executor, id, program, {x.data()}, id == 3 ? std::vector<int64_t>{2} : std::vector<int64_t>{})));
  EXPECT_TRUE(executor.abort(2));
  EXPECT_FALSE(executor.abort(5));
  executor.wait(4);
  EXPECT_FALSE(executor.abort(1));
  std::vector<Completion> ended;
  executor.collect(&ended);
  ASSERT_EQ(ended.size(), 4u);
  const Failure expected[] = {kOk, kFailAborted, kFailAborted, kOk};
  for (size_t i = 0; i < 4; i++) EXPECT_EQ(ended[i].failure.kind, expected[i]);
  EXPECT_EQ(ended[2].failure.cause, 2);
  EXPECT_EQ(x[0], 600);
}

TEST(Executor, AnAbortThatCameInTimeIsAFailure) {
  Notified notified;
  Executor executor(supportedTables().back(), &Notified::notify, &notified);
  const int32_t length = 1 << 14;
  std::vector<float> x(length, 1), y(length, 0);
  ProgramBuilder builder(1);
  const int32_t from = builder.buffer(BufferKind::kInput, kFloat32, length);
  const int32_t to = builder.buffer(BufferKind::kOutput, kFloat32, length);
  for (int i = 0; i < 300; i++)
    builder.instruction(k_elementwise, {{from, {length}, {}}}, {{to, {length}, {}}},
                        {1, 1, 3, 1, kFloat32, op_add, kFloat32, 2, 0, 1, -1, 2, 0, 0});
  const auto program = decoded(builder.words());
  EXPECT_EQ(program->firstWriter, 300);
  EXPECT_EQ(increment(1, 3)->firstWriter, 0);
  std::vector<Completion> ended;
  for (int64_t id = 1; id <= 60; id++) {
    ASSERT_TRUE(executor.submit(request(&executor, id, program, {x.data(), y.data()})));
    usleep(static_cast<unsigned>(30 * id));
    const bool inTime = executor.abort(id);
    executor.wait(id);
    executor.collect(&ended);
    ASSERT_EQ(ended.size(), 1u);
    EXPECT_EQ(ended[0].failure.kind, inTime ? kFailAborted : kOk);
  }
}

TEST(Executor, StopsBetweenInstructionsAndDropsTheQueue) {
  Notified notified;
  std::vector<float> x(1 << 20, 0);
  const auto program = increment(1 << 20, 10000);
  {
    Executor executor(supportedTables().back(), &Notified::notify, &notified);
    for (int id = 1; id <= 3; id++) ASSERT_TRUE(executor.submit(request(&executor, id, program, {x.data()})));
    usleep(20000);
  }
  EXPECT_LT(x[0], 10000);
  EXPECT_LE(notified.count, 1);
}

TEST(Executor, ReportsMemoryThatIsNotThere) {
  Notified notified;
  Executor executor(supportedTables().back(), &Notified::notify, &notified);
  auto program = increment(1, 1);
  program->arenaBytes = int64_t{1} << 46;
  float x = 0;
  ASSERT_TRUE(executor.submit(request(&executor, 1, program, {&x})));
  executor.wait(1);
  std::vector<Completion> ended;
  executor.collect(&ended);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].failure.kind, kFailMemory);
}

}  // namespace
}  // namespace saddlepoint
