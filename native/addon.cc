// The boundary to JavaScript: one crossing per program run. The only file that sees napi.h. Whatever an argument is,
// the worst that follows is an exception; only the addresses of bindings have to be trusted.
#include <napi.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "runtime/cpu.h"
#include "runtime/executor.h"
#include "runtime/program.h"
#include "runtime/thread_pool.h"

namespace {

using namespace saddlepoint;

constexpr double kMaxAddress = 9007199254740992.0;  // 2^53
constexpr int kMaxExchange = 1 << 26;

const char* failureKind(Failure kind) {
  switch (kind) {
    case kFailValue:
      return "value";
    case kFailMemory:
      return "memory";
    default:
      return "internal";
  }
}

// The programs that JavaScript holds a handle of: an external of another addon is none of them.
struct LiveHandles {
  std::unordered_set<const void*> pointers;
};

struct Handle {
  std::shared_ptr<LiveHandles> live;
  std::shared_ptr<Program> program;
};

// State of one environment: the main thread, or a worker thread, that loaded the addon.
class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports) : live_(std::make_shared<LiveHandles>()) {
    executor_ = std::make_unique<Executor>(supportedTables().back(), &Addon::runEnded, this);
    // The function is made before the cleanup hook, so the hook, which is called first, ends the only thread that uses
    // it.
    completed_ = Completed::New(env, "saddlepoint", 0, 1, this);
    completed_.Unref(env);
    env.AddCleanupHook([](Addon* addon) { addon->executor_->stop(); }, this);

    Napi::Array kernels = Napi::Array::New(env, kKernels);
    for (int32_t i = 0; i < kKernels; i++) kernels[i] = Napi::String::New(env, kernelName(static_cast<KernelId>(i)));
    Napi::Array opcodes = Napi::Array::New(env, kOpcodes);
    for (int32_t i = 0; i < kOpcodes; i++) opcodes[i] = Napi::String::New(env, opcodeName(static_cast<Opcode>(i)));
    Napi::Array supported = Napi::Array::New(env);
    for (const KernelTable* table : supportedTables())
      supported[supported.Length()] = Napi::String::New(env, table->isa);

    DefineAddon(
        exports,
        {InstanceValue("version", Napi::String::New(env, SADDLEPOINT_VERSION), napi_enumerable),
         InstanceValue("programVersion", Napi::Number::New(env, kProgramVersion), napi_enumerable),
         InstanceValue("kernels", kernels, napi_enumerable), InstanceValue("opcodes", opcodes, napi_enumerable),
         InstanceValue("supported", supported, napi_enumerable), InstanceAccessor<&Addon::isa>("isa", napi_enumerable),
         InstanceAccessor<&Addon::threads>("threads", napi_enumerable), InstanceMethod<&Addon::setIsa>("setIsa"),
         InstanceMethod<&Addon::setThreads>("setThreads"), InstanceMethod<&Addon::exchange>("exchange"),
         InstanceMethod<&Addon::load>("load"), InstanceMethod<&Addon::run>("run"),
         InstanceMethod<&Addon::submit>("submit"), InstanceMethod<&Addon::collect>("collect"),
         InstanceMethod<&Addon::wait>("wait"), InstanceMethod<&Addon::onCompletion>("onCompletion"),
         InstanceMethod<&Addon::addressOf>("addressOf"), InstanceMethod<&Addon::fmaPeak>("fmaPeak")});
  }

 private:
  static void runEnded(void* self) {
    Addon* addon = static_cast<Addon*>(self);
    if (!addon->notified_.exchange(true)) addon->completed_.NonBlockingCall();
  }

  static void notify(Napi::Env env, Napi::Function, Addon* addon, void*) {
    if (static_cast<napi_env>(env) == nullptr) return;
    addon->notified_ = false;
    addon->updateReference(env);
    if (addon->callback_.IsEmpty()) return;
    try {
      addon->callback_.Call({});
    } catch (const Napi::Error& error) {
      // Otherwise Node would only warn: this is no call from JavaScript, to which it could throw.
      napi_fatal_exception(env, error.Value());
    }
  }
  using Completed = Napi::TypedThreadSafeFunction<Addon, void, &Addon::notify>;

  // The process stays alive while something is queued, or has ended and JavaScript has not been told.
  void updateReference(Napi::Env env) {
    const bool needed = !executor_->idle() || notified_.load();
    if (needed == referenced_) return;
    referenced_ = needed;
    if (needed)
      completed_.Ref(env);
    else
      completed_.Unref(env);
  }

  [[noreturn]] static void refuse(Napi::Env env, const std::string& message) {
    throw Napi::TypeError::New(env, message);
  }

  static double number(const Napi::CallbackInfo& info, size_t index, const char* what) {
    if (!info[index].IsNumber()) refuse(info.Env(), std::string(what) + ": not a number");
    return info[index].As<Napi::Number>().DoubleValue();
  }

  static int64_t id(Napi::Env env, double value, const char* method) {
    if (!(value >= 1 && value < kMaxAddress) || value != std::floor(value))
      refuse(env, std::string(method) + ": an id is an integer from 1 on");
    return static_cast<int64_t>(value);
  }

  const std::shared_ptr<Program>& program(const Napi::CallbackInfo& info, const char* method) const {
    if (info[0].IsExternal()) {
      Handle* handle = info[0].As<Napi::External<Handle>>().Data();
      if (live_->pointers.count(handle) != 0) return handle->program;
    }
    refuse(info.Env(), std::string(method) + ": not a handle that load() returned");
  }

  // What JavaScript has written for a run of the program: an address and a byte length for each bound buffer.
  void readBindings(Napi::Env env, const char* method, const Program& program, std::vector<void*>* bindings) const {
    const size_t count = program.bound.size();
    if (exchange_->size() < 2 * count + static_cast<size_t>(program.scalars))
      refuse(env, std::string(method) + ": the exchange array is too short for this program");
    bindings->resize(count);
    for (size_t i = 0; i < count; i++) {
      const Buffer& buffer = program.buffers[program.bound[i]];
      const double address = (*exchange_)[2 * i];
      const double bytes = (*exchange_)[2 * i + 1];
      const size_t elementSize = elementBytes(buffer.dtype);
      const auto refuseBinding = [&](const std::string& problem) {
        refuse(env, std::string(method) + ": binding " + std::to_string(i) + " " + problem);
      };
      if (bytes != static_cast<double>(buffer.length) * static_cast<double>(elementSize))
        refuseBinding("has another size than the " + std::to_string(buffer.length) + " elements of " +
                      dtypeName(buffer.dtype) + " of its buffer");
      if (!(address >= 0 && address < kMaxAddress) || address != std::floor(address))
        refuseBinding("has an impossible address");
      const uintptr_t pointer = static_cast<uintptr_t>(address);
      if (pointer == 0 && buffer.length > 0) refuseBinding("has no address");
      if (pointer % elementSize != 0) refuseBinding("is not aligned to its elements");
      (*bindings)[i] = reinterpret_cast<void*>(pointer);
    }
  }

  // The scalars follow the bindings. Only after readBindings, which has seen that they are there.
  const double* scalars(const Program& program) const { return exchange_->data() + 2 * program.bound.size(); }

  static Napi::Value failureObject(Napi::Env env, const RunFailure& failure) {
    if (failure.kind == kOk) return env.Null();
    Napi::Object object = Napi::Object::New(env);
    object["kind"] = failureKind(failure.kind);
    object["instruction"] = failure.instruction;
    object["message"] = failure.message;
    object["cause"] = static_cast<double>(failure.cause);
    return object;
  }

  Napi::Value load(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
      refuse(env, "load: not an Int32Array");
    const auto words = info[0].As<Napi::Int32Array>();
    std::string problem;
    std::shared_ptr<Program> program = decodeProgram(words.Data(), words.ElementLength(), &problem);
    if (program == nullptr) throw Napi::Error::New(env, problem);
    auto handle = std::make_unique<Handle>(Handle{live_, std::move(program)});
    live_->pointers.insert(handle.get());
    return Napi::External<Handle>::New(env, handle.release(), [](Napi::Env, Handle* ended) {
      ended->live->pointers.erase(ended);
      delete ended;
    });
  }

  // A Float64Array through which every run takes its numbers, so that none has to be looked up among the arguments:
  // (address, byte length) for each bound buffer, then the scalars. It replaces the former one.
  Napi::Value exchange(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const double length = number(info, 0, "exchange");
    if (!(length >= 1 && length <= kMaxExchange) || length != std::floor(length))
      throw Napi::RangeError::New(env, "exchange: a length from 1 to " + std::to_string(kMaxExchange));
    const auto values = std::make_shared<std::vector<double>>(static_cast<size_t>(length));
    // V8 may hold the buffer longer than this environment holds the values, or give it up earlier.
    auto* owner = new std::shared_ptr<std::vector<double>>(values);
    const auto buffer = Napi::ArrayBuffer::New(
        env, values->data(), values->size() * sizeof(double),
        [](Napi::Env, void*, std::shared_ptr<std::vector<double>>* ended) { delete ended; }, owner);
    exchange_ = values;
    return Napi::Float64Array::New(env, values->size(), buffer, 0);
  }

  Napi::Value run(const Napi::CallbackInfo& info) {
    const std::shared_ptr<Program>& running = program(info, "run");
    readBindings(info.Env(), "run", *running, &inline_bindings_);
    executor_->runInline(running.get(), inline_bindings_.data(), scalars(*running), &inline_failure_);
    return failureObject(info.Env(), inline_failure_);
  }

  // (handle, id, after?)
  void submit(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Program>& queued = program(info, "submit");
    std::unique_ptr<Request> request = executor_->newRequest();
    readBindings(env, "submit", *queued, &request->bindings);
    request->scalars.assign(scalars(*queued), scalars(*queued) + queued->scalars);
    request->id = id(env, number(info, 1, "submit: id"), "submit");
    if (request->id <= executor_->lastId()) refuse(env, "submit: ids do not count up");
    request->after.clear();
    if (!info[2].IsUndefined()) {
      if (!info[2].IsArray()) refuse(env, "submit: after is not an array");
      const auto after = info[2].As<Napi::Array>();
      for (uint32_t i = 0; i < after.Length(); i++) {
        const Napi::Value value = after[i];
        if (!value.IsNumber()) refuse(env, "submit: after has something else than numbers");
        request->after.push_back(id(env, value.As<Napi::Number>().DoubleValue(), "submit: after"));
      }
    }
    request->program = queued;
    if (!executor_->submit(std::move(request)))
      throw Napi::Error::New(env, "submit: the system has no thread left to run programs on");
    updateReference(env);
  }

  // null, or [id, failure or null, id, failure or null, ...].
  Napi::Value collect(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    executor_->collect(&collected_);
    if (collected_.empty()) return env.Null();
    Napi::Array result = Napi::Array::New(env, 2 * collected_.size());
    for (uint32_t i = 0; i < collected_.size(); i++) {
      result[2 * i] = Napi::Number::New(env, static_cast<double>(collected_[i].id));
      result[2 * i + 1] = failureObject(env, collected_[i].failure);
    }
    return result;
  }

  void wait(const Napi::CallbackInfo& info) { executor_->wait(id(info.Env(), number(info, 0, "wait: id"), "wait")); }

  // A new listener is a new owner of the queue: what the former one queued has ended and is forgotten.
  void onCompletion(const Napi::CallbackInfo& info) {
    if (!info[0].IsFunction()) refuse(info.Env(), "onCompletion: not a function");
    executor_->reset();
    callback_ = Napi::Persistent(info[0].As<Napi::Function>());
  }

  Napi::Value addressOf(const Napi::CallbackInfo& info) {
    if (!info[0].IsArrayBuffer()) refuse(info.Env(), "addressOf: not an ArrayBuffer");
    const auto address = reinterpret_cast<uintptr_t>(info[0].As<Napi::ArrayBuffer>().Data());
    return Napi::Number::New(info.Env(), static_cast<double>(address));
  }

  Napi::Value isa(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), executor_->table()->isa); }

  void setIsa(const Napi::CallbackInfo& info) {
    if (!info[0].IsString()) refuse(info.Env(), "setIsa: not a string");
    std::string problem;
    const KernelTable* table = selectTable(info[0].As<Napi::String>().Utf8Value(), &problem);
    if (table == nullptr) throw Napi::RangeError::New(info.Env(), problem);
    executor_->setTable(table);
  }

  Napi::Value threads(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), ThreadPool::instance().threads());
  }

  void setThreads(const Napi::CallbackInfo& info) {
    const double count = number(info, 0, "setThreads");
    if (!(count >= 1 && count <= ThreadPool::kMaxThreads) || count != std::floor(count))
      throw Napi::RangeError::New(info.Env(),
                                  "threads: an integer from 1 to " + std::to_string(ThreadPool::kMaxThreads));
    ThreadPool::instance().setThreads(static_cast<int>(count));
  }

  Napi::Value fmaPeak(const Napi::CallbackInfo& info) {
    const double seconds = number(info, 0, "fmaPeak");
    if (!(seconds > 0 && seconds <= 60)) throw Napi::RangeError::New(info.Env(), "fmaPeak: seconds above 0, up to 60");
    return Napi::Number::New(info.Env(), executor_->table()->fmaPeak(seconds));
  }

  const std::shared_ptr<LiveHandles> live_;
  std::shared_ptr<std::vector<double>> exchange_ = std::make_shared<std::vector<double>>();
  std::unique_ptr<Executor> executor_;
  Completed completed_;
  std::atomic<bool> notified_{false};
  bool referenced_ = false;
  Napi::FunctionReference callback_;
  std::vector<Completion> collected_;
  std::vector<void*> inline_bindings_;
  RunFailure inline_failure_;
};

}  // namespace

NODE_API_ADDON(Addon)
