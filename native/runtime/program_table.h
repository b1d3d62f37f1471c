// Programs by number, so that JavaScript names one without an object that would have to be looked into. A number is never
// given to a second program, so one that is stale or made up names none.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "program.h"

namespace saddlepoint {

// A program with the memory through which JavaScript gives a run its numbers: an address for each bound buffer, the
// scalars, and where the times go (RunInput::times; 0 for nowhere). It stays filled from run to run.
struct LoadedProgram {
  std::shared_ptr<Program> program;
  std::vector<double> exchange;
  std::vector<void*> bindings;  // the checked addresses of the run in preparation

  const double* scalars() const { return exchange.data() + bindings.size(); }
};

class ProgramTable {
 public:
  // An integer from 0 to below 2^53.
  double add(std::shared_ptr<LoadedProgram> program) {
    uint32_t place = static_cast<uint32_t>(entries_.size());
    if (free_.empty()) {
      entries_.emplace_back();
    } else {
      place = free_.back();
      free_.pop_back();
    }
    entries_[place] = {std::move(program), static_cast<double>(made_++ * kPlaces + place)};
    return entries_[place].number;
  }

  void remove(double number) {
    if (find(number) == nullptr) return;
    const uint32_t place = placeOf(number);
    entries_[place] = {nullptr, -1};
    free_.push_back(place);
  }

  // Null for a number that names no program.
  LoadedProgram* find(double number) const {
    if (!(number >= 0 && number < kEnd)) return nullptr;
    const uint32_t place = placeOf(number);
    return place < entries_.size() && entries_[place].number == number ? entries_[place].program.get() : nullptr;
  }

  bool full() const { return free_.empty() && entries_.size() == kPlaces; }

 private:
  static constexpr uint64_t kPlaces = uint64_t{1} << 20;
  static constexpr double kEnd = 9007199254740992.0;  // 2^53

  static uint32_t placeOf(double number) { return static_cast<uint64_t>(number) % kPlaces; }

  struct Entry {
    std::shared_ptr<LoadedProgram> program;
    double number = -1;
  };
  std::vector<Entry> entries_;
  std::vector<uint32_t> free_;
  uint64_t made_ = 0;
};

}  // namespace saddlepoint
