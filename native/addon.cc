// The boundary to JavaScript: one crossing per program run. The only file that sees napi.h. Whatever an argument is,
// the worst that follows is an exception; only the addresses of bindings have to be trusted.
#include <napi.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "runtime/aligned_memory.h"
#include "runtime/cpu.h"
#include "runtime/executor.h"
#include "runtime/program.h"
#include "runtime/program_table.h"
#include "runtime/thread_pool.h"

namespace {

using namespace saddlepoint;

constexpr double kMaxAddress = 9007199254740992.0;  // 2^53

const char* failureKind(Failure kind) {
  switch (kind) {
    case kFailValue:
      return "value";
    case kFailMemory:
      return "memory";
    case kFailAborted:
      return "aborted";
    default:
      return "internal";
  }
}

constexpr char kNoHandle[] = "not the handle of a program that load() returned and that still lives";

// What the array buffer of a program's exchange holds.
struct Owner {
  std::shared_ptr<ProgramTable> programs;
  std::shared_ptr<LoadedProgram> program;
  double handle;
};

// State of one environment: the main thread, or a worker thread, that loaded the addon.
class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports) : programs_(std::make_shared<ProgramTable>()) {
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
         InstanceMethod<&Addon::setThreads>("setThreads"), InstanceMethod<&Addon::load>("load"),
         InstanceMethod<&Addon::submit>("submit"), InstanceMethod<&Addon::abort>("abort"),
         InstanceMethod<&Addon::collect>("collect"), InstanceMethod<&Addon::now>("now"),
         InstanceMethod<&Addon::wait>("wait"), InstanceMethod<&Addon::onCompletion>("onCompletion"),
         InstanceMethod<&Addon::addressOf>("addressOf"), InstanceMethod<&Addon::fmaPeak>("fmaPeak")});
    // The only call that counts in nanoseconds: without the wrapper and its exceptions.
    const napi_property_descriptor descriptor = {"run",   nullptr, &Addon::run,     nullptr,
                                                 nullptr, nullptr, napi_enumerable, this};
    if (napi_define_properties(env, exports, 1, &descriptor) != napi_ok) throw Napi::Error::New(env);
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

  // Checks the addresses that JavaScript has written for a run; null if they can be, else what is wrong.
  static const char* readBindings(LoadedProgram* loaded, size_t* binding) {
    const Program& program = *loaded->program;
    for (size_t i = 0; i < loaded->bindings.size(); i++) {
      const Buffer& buffer = program.buffers[program.bound[i]];
      const double address = loaded->exchange[i];
      *binding = i;
      if (!(address >= 0 && address < kMaxAddress)) return "has an impossible address";
      const uintptr_t pointer = static_cast<uintptr_t>(address);
      if (static_cast<double>(pointer) != address) return "has an impossible address";
      if (pointer == 0 && buffer.length > 0) return "has no address";
      if ((pointer & (elementBytes(buffer.dtype) - 1)) != 0) return "is not aligned to its elements";
      loaded->bindings[i] = reinterpret_cast<void*>(pointer);
    }
    return nullptr;
  }

  static std::string bindingProblem(const char* method, size_t binding, const char* problem) {
    return std::string(method) + ": binding " + std::to_string(binding) + " " + problem;
  }

  // Null, or where JavaScript wants a run's times: behind the scalars.
  static const char* readTimes(const LoadedProgram& loaded, double** times) {
    const double address = loaded.exchange.back();
    *times = nullptr;
    if (address == 0) return nullptr;
    if (!(address > 0 && address < kMaxAddress)) return "the times have an impossible address";
    const uintptr_t pointer = static_cast<uintptr_t>(address);
    if (static_cast<double>(pointer) != address || pointer % alignof(double) != 0)
      return "the times have an impossible address";
    *times = reinterpret_cast<double*>(pointer);
    return nullptr;
  }

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
    if (programs_->full()) throw Napi::Error::New(env, "load: there are too many programs");
    auto loaded = std::make_shared<LoadedProgram>();
    loaded->exchange.resize(program->bound.size() + static_cast<size_t>(program->scalars) + 1);
    loaded->bindings.resize(program->bound.size());
    loaded->program = std::move(program);
    // The program lives for as long as V8 holds the exchange array, and its memory also beyond this environment.
    auto* owner = new Owner{programs_, loaded, programs_->add(loaded)};
    const auto buffer = Napi::ArrayBuffer::New(
        env, loaded->exchange.data(), loaded->exchange.size() * sizeof(double),
        [](Napi::Env, void*, Owner* ended) {
          ended->programs->remove(ended->handle);
          delete ended;
        },
        owner);
    Napi::Object result = Napi::Object::New(env);
    result["handle"] = owner->handle;
    result["exchange"] = Napi::Float64Array::New(env, loaded->exchange.size(), buffer, 0);
    return result;
  }

  // (handle): undefined, or why it failed. Takes its numbers from the program's exchange array.
  static napi_value run(napi_env env, napi_callback_info info) {
    napi_value argument = nullptr;
    size_t count = 1;
    void* self = nullptr;
    double handle = -1;
    if (napi_get_cb_info(env, info, &count, &argument, nullptr, &self) != napi_ok ||
        napi_get_value_double(env, argument, &handle) != napi_ok)
      handle = -1;
    Addon* addon = static_cast<Addon*>(self);
    LoadedProgram* loaded = addon->programs_->find(handle);
    if (loaded == nullptr) {
      napi_throw_type_error(env, nullptr, kNoHandle);
      return nullptr;
    }
    size_t binding = 0;
    const char* problem = readBindings(loaded, &binding);
    if (problem != nullptr) {
      napi_throw_type_error(env, nullptr, bindingProblem("run", binding, problem).c_str());
      return nullptr;
    }
    RunInput input{loaded->bindings.data(), loaded->scalars()};
    problem = readTimes(*loaded, &input.times);
    if (problem != nullptr) {
      napi_throw_type_error(env, nullptr, problem);
      return nullptr;
    }
    RunFailure& failure = addon->inline_failure_;
    addon->executor_->runInline(loaded->program.get(), input, &failure);
    if (failure.kind == kOk) return nullptr;
    try {
      return failureObject(env, failure);
    } catch (const Napi::Error& error) {
      error.ThrowAsJavaScriptException();
      return nullptr;
    }
  }

  // (handle, id, after?)
  void submit(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    LoadedProgram* loaded = programs_->find(info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1);
    if (loaded == nullptr) refuse(env, kNoHandle);
    size_t binding = 0;
    const char* problem = readBindings(loaded, &binding);
    if (problem != nullptr) refuse(env, bindingProblem("submit", binding, problem));
    std::unique_ptr<Request> request = executor_->newRequest();
    problem = readTimes(*loaded, &request->times);
    if (problem != nullptr) refuse(env, problem);
    request->bindings.assign(loaded->bindings.begin(), loaded->bindings.end());
    request->scalars.assign(loaded->scalars(), loaded->scalars() + loaded->program->scalars);
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
    request->program = loaded->program;
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

  Napi::Value abort(const Napi::CallbackInfo& info) {
    const bool found = executor_->abort(id(info.Env(), number(info, 0, "abort: id"), "abort"));
    return Napi::Boolean::New(info.Env(), found);
  }

  Napi::Value now(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), nanoseconds()); }

  void wait(const Napi::CallbackInfo& info) { executor_->wait(id(info.Env(), number(info, 0, "wait: id"), "wait")); }

  // A new listener is a new owner of the queue: what the former one queued has ended and is forgotten.
  void onCompletion(const Napi::CallbackInfo& info) {
    if (!info[0].IsFunction()) refuse(info.Env(), "onCompletion: not a function");
    executor_->reset();
    callback_ = Napi::Persistent(info[0].As<Napi::Function>());
  }

  // Storages ask when they are new, so this is also where large ones get their pages.
  Napi::Value addressOf(const Napi::CallbackInfo& info) {
    if (!info[0].IsArrayBuffer()) refuse(info.Env(), "addressOf: not an ArrayBuffer");
    Napi::ArrayBuffer buffer = info[0].As<Napi::ArrayBuffer>();
    wishForHugePages(buffer.Data(), buffer.ByteLength());
    return Napi::Number::New(info.Env(), static_cast<double>(reinterpret_cast<uintptr_t>(buffer.Data())));
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

  const std::shared_ptr<ProgramTable> programs_;
  std::unique_ptr<Executor> executor_;
  Completed completed_;
  std::atomic<bool> notified_{false};
  bool referenced_ = false;
  Napi::FunctionReference callback_;
  std::vector<Completion> collected_;
  RunFailure inline_failure_;
};

}  // namespace

NODE_API_ADDON(Addon)
