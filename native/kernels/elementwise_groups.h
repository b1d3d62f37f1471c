// Decides which steps of the elementwise byte code run as a chain (elementwise_chain.h) and which by loops of their
// own, and where a chain loads and stores.
#pragma once
#include "elementwise_chain.h"
#include "elementwise_steps.h"

namespace saddlepoint {
namespace {

// A slot is where a register's block of elements is: for each register one, and some more that widening casts need.
struct StepCode {
  Step step;
  Opcode opcode;
  DType dtype;
  int32_t destination, a, b, c;
  int32_t firstStream, streams;  // those of Code::prefetched that this step reads ahead in
};

// A link whose x and y are slots, or -1.
struct LinkCode {
  LinkFunction function;
  int32_t x, y;
};

// Steps that follow each other: a chain of links, or by loops where it has none.
struct Group {
  int32_t firstStep, steps, firstLink, links;
};

constexpr int maxChainSteps = 32;

// A step is at most two loads, itself and a store; a chain has an end besides.
constexpr size_t maxLinks(size_t steps) { return 5 * steps; }

// What is known of a slot while steps are grouped.
struct SlotUse {
  int32_t lastRead;  // by this step, or behind all of them: an output
  int32_t writer;    // the link that stores what the chain at hand has written last; -1: none
  int32_t bytes;     // of an element, in the chain at hand; 0: not used yet
  bool isConstant;   // the same for all elements of a block
};

class Grouping {
 public:
  // `groups` has room for as many as steps, `links` for maxLinks. In `uses` outputs are last read by step number `steps`,
  // other slots by none, -1; all have no writer and no bytes.
  Grouping(const StepCode* code, int32_t steps, Group* groups, LinkCode* links, SlotUse* uses)
      : code_(code), steps_(steps), groups_(groups), links_(links), uses_(uses) {}

  // The number of groups.
  int32_t run() {
    for (int32_t t = 0; t < steps_; t++) {
      const int32_t operands[3] = {code_[t].a, code_[t].b, code_[t].c};
      for (const int32_t slot : operands) uses_[slot].lastRead = larger(uses_[slot].lastRead, t);
    }
    for (int32_t t = 0; t < steps_;) {
      int32_t end = t;
      while (end < steps_ && end - t < maxChainSteps && isLink(code_[end]) && keepsWidths(code_[end])) end++;
      if (end - t >= 2)
        addChain(t, end);
      else
        addLoop(end = t + 1);
      forget(t, end);
      t = end;
    }
    return groupCount_;
  }

  int32_t links() const { return linkCount_; }

 private:
  static bool isLink(const StepCode& step) {
    if (step.dtype != kFloat32) return false;
    const LinkForms& forms = linkForms.forms[step.opcode];
    if (forms.one != nullptr) return true;
    const bool isSame = step.opcode == op_where ? step.b == step.c : step.a == step.b;
    return isSame ? forms.itself != nullptr : forms.stream != nullptr;
  }

  static bool isComparison(const StepCode& step) { return step.opcode >= op_eq && step.opcode <= op_ge; }

  // In a chain, elements of a slot all have one width: narrow ones would come to lie on wide ones of a part before.
  bool keepsWidths(const StepCode& step) {
    return keepsWidth(step.a, step.opcode == op_where ? 1 : 4) && keepsWidth(step.b, 4) && keepsWidth(step.c, 4) &&
           keepsWidth(step.destination, isComparison(step) ? 1 : 4);
  }
  bool keepsWidth(int32_t slot, int32_t bytes) {
    if (uses_[slot].bytes == 0) uses_[slot].bytes = bytes;
    return uses_[slot].bytes == bytes;
  }

  // Steps that began to be checked may be one more than the group has.
  void forget(int32_t first, int32_t end) {
    for (int32_t t = first; t <= end && t < steps_; t++) {
      const StepCode& step = code_[t];
      const int32_t slots[4] = {step.a, step.b, step.c, step.destination};
      for (int i = 0; i < 4; i++) {
        uses_[slots[i]].writer = -1;
        uses_[slots[i]].bytes = 0;
      }
    }
  }

  void addLoop(int32_t end) {
    if (groupCount_ > 0 && groups_[groupCount_ - 1].links == 0)
      groups_[groupCount_ - 1].steps++;
    else
      groups_[groupCount_++] = {end - 1, 1, 0, 0};
  }

  void addChain(int32_t first, int32_t end) {
    const int32_t firstLink = linkCount_;
    held_ = -1;
    for (int32_t t = first; t < end; t++) addStep(code_[t]);
    for (int32_t t = first; t < end; t++) {
      if (uses_[code_[t].destination].lastRead >= end) read(code_[t].destination);
    }
    dropStores(firstLink);
    add(endChain, -1, -1);
    groups_[groupCount_++] = {first, end - first, firstLink, linkCount_ - firstLink};
  }

  void addStep(const StepCode& step) {
    const LinkForms& forms = linkForms.forms[step.opcode];
    const bool isChoice = step.opcode == op_where;
    const int32_t a = isChoice ? step.b : step.a, b = isChoice ? step.c : step.b;
    if (forms.one != nullptr || a == b) {
      hold(a);
      add(forms.one != nullptr ? forms.one : forms.itself, -1, -1);
    } else {
      const bool isSwapped = held_ == b || (held_ != a && isScalar(a));
      const int32_t other = isSwapped ? a : b;
      hold(isSwapped ? b : a);
      read(other);
      const LinkFunction scalar = isSwapped ? forms.swappedScalar : forms.scalar;
      const LinkFunction stream = isSwapped ? forms.swappedStream : forms.stream;
      add(isScalar(other) ? scalar : stream, other, isChoice ? step.a : isComparison(step) ? step.destination : -1);
      if (isComparison(step)) return;
    }
    held_ = step.destination;
    uses_[held_].writer = linkCount_;
    add(nullptr, held_, -1);  // a store, if something reads it
  }

  // Makes the slot's elements the vectors at hand.
  void hold(int32_t slot) {
    if (held_ == slot) return;
    read(slot);
    add(isScalar(slot) ? runLink<LoadScalar> : runLink<LoadStream>, slot, -1);
    held_ = slot;
  }

  // From memory.
  void read(int32_t slot) {
    if (uses_[slot].writer >= 0) links_[uses_[slot].writer].function = runLink<Store>;
  }

  bool isScalar(int32_t slot) const { return uses_[slot].isConstant; }

  void add(LinkFunction function, int32_t x, int32_t y) { links_[linkCount_++] = {function, x, y}; }

  void dropStores(int32_t firstLink) {
    const int32_t end = linkCount_;
    linkCount_ = firstLink;
    for (int32_t i = firstLink; i < end; i++) {
      if (links_[i].function != nullptr) links_[linkCount_++] = links_[i];
    }
  }

  const StepCode* code_;
  const int32_t steps_;
  Group* groups_;
  LinkCode* links_;
  SlotUse* uses_;
  int32_t linkCount_ = 0, groupCount_ = 0;
  int32_t held_ = -1;  // the slot whose elements are the vectors at hand
};

}  // namespace
}  // namespace saddlepoint
