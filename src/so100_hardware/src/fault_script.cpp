#include "so100_hardware/fault_script.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "so100_hardware/errors.hpp"
#include "so100_hardware/fault_kinds.hpp"
#include "so100_hardware/packet.hpp"
#include "so100_hardware/registers.hpp"

namespace so100 {
namespace {

// A servo starts in this time, and a brown-out is over.
constexpr double kRebootS = 0.3;
constexpr std::size_t kMostForeignBytes = 1024;

class Line {
 public:
  Line(const std::string& text, int number) : number_(number) {
    std::istringstream stream(text.substr(0, text.find('#')));
    for (std::string word; stream >> word;) words_.push_back(word);
  }

  bool done() const { return next_ == words_.size(); }
  std::string peek(std::size_t ahead = 0) const { return next_ + ahead < words_.size() ? words_[next_ + ahead] : ""; }
  bool take(const std::string& word) {
    if (done() || words_[next_] != word) return false;
    ++next_;
    return true;
  }

  [[noreturn]] void refuse(const std::string& expected) const {
    throw BusError(ErrorKind::kBadRequest, "faults: line " + std::to_string(number_) + ": expected " + expected +
                                               ", found " + (done() ? "the end of the line" : "'" + peek() + "'"));
  }

  double number(const std::string& what, double lowest, double highest) {
    const std::string word = peek();
    char* end = nullptr;
    const double value = std::strtod(word.c_str(), &end);
    if (word.empty() || *end != 0 || !(value >= lowest && value <= highest)) {
      std::ostringstream range;
      range << what << " of " << lowest << " to " << highest;
      refuse(range.str());
    }
    ++next_;
    return value;
  }

  double whole(const std::string& what, double lowest, double highest) {
    const std::size_t before = next_;
    const double value = number("a whole " + what, lowest, highest);
    if (value != std::floor(value)) {
      next_ = before;
      refuse("a whole " + what);
    }
    return value;
  }

  bool at_number() const {
    return !done() && (std::isdigit(static_cast<unsigned char>(peek()[0])) || peek()[0] == '-');
  }

 private:
  std::vector<std::string> words_;
  std::size_t next_ = 0;
  int number_;
};

bool is_second(const FaultKindRow& kind, const std::string& word) {
  const std::string second = kind.second;
  return word == second || word == second + "s" || (second == "replie" && word == "reply");
}

const FaultKindRow& take_kind(Line& line, int* amount) {
  const std::size_t between = std::isdigit(static_cast<unsigned char>(line.peek(1)[0])) ? 1 : 0;
  std::string seconds;
  for (const FaultKindRow& kind : kFaultKindTable) {
    if (line.peek() != kind.first) continue;
    if (*kind.second == 0) {
      line.take(kind.first);
      return kind;
    }
    if (is_second(kind, line.peek(1 + between)) && (between == 0 || kind.argument == FaultArgument::kAmount)) {
      line.take(kind.first);
      if (between == 1) *amount = static_cast<int>(line.whole("number", kind.lowest, kind.highest));
      line.take(line.peek());
      return kind;
    }
    seconds += (seconds.empty() ? "'" : " or '") + std::string(kind.name) + "'";
  }
  if (!seconds.empty()) line.refuse(seconds);
  std::string all;
  for (const FaultKindRow& kind : kFaultKindTable) all += (all.empty() ? "one of " : ", ") + std::string(kind.name);
  line.refuse(all);
}

void take_register(Line& line, FaultCommand* out) {
  const Register* found = nullptr;
  for (const Register& r : kRegisters) {
    if (r.name == line.peek()) found = &r;
  }
  if (found == nullptr) line.refuse("a register's name");
  out->name = line.peek();
  line.take(out->name);
  const Line before = line;
  out->value = line.whole("number", -65535, 65535);
  if (!found->holds(static_cast<int32_t>(out->value))) before.refuse("a value that " + out->name + " can hold");
}

void take_bytes(Line& line, std::vector<uint8_t>* out) {
  const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  for (std::string word = line.peek(); word.size() == 2 && is_hex(word[0]) && is_hex(word[1]); word = line.peek()) {
    if (out->size() == kMostForeignBytes) line.refuse("at most " + std::to_string(kMostForeignBytes) + " bytes");
    out->push_back(static_cast<uint8_t>(std::strtoul(word.c_str(), nullptr, 16)));
    line.take(word);
  }
}

void take_argument(Line& line, const FaultKindRow& kind, FaultCommand* out) {
  switch (kind.argument) {
    case FaultArgument::kHexBytes:
      return take_bytes(line, &out->bytes);
    case FaultArgument::kId:
    case FaultArgument::kOptionalId:
      if (kind.argument == FaultArgument::kOptionalId && !line.at_number()) return;
      out->value = line.whole("id", kind.lowest, kind.highest);
      out->has_value = true;
      return;
    case FaultArgument::kRegister:
      return take_register(line, out);
    case FaultArgument::kKind:
      out->clears_all = line.done() || line.peek() == "servo" || line.peek() == "at";
      if (!out->clears_all) {
        int amount = 0;
        out->cleared = take_kind(line, &amount).kind;
      }
      return;
    default:
      return;
  }
}

// "by 0.05", "to 75": behind the kind, like the options in any order.
struct Measure {
  FaultArgument argument;
  const char* word;
  const char* unit;
};
constexpr Measure kMeasures[] = {{FaultArgument::kBy, "by", "seconds"},
                                 {FaultArgument::kToVolts, "to", "volts"},
                                 {FaultArgument::kToDegrees, "to", "degrees Celsius"}};

const Measure* measure_of(const FaultKindRow& kind) {
  for (const Measure& measure : kMeasures) {
    if (measure.argument == kind.argument) return &measure;
  }
  return nullptr;
}

void take_servos(Line& line, std::vector<uint8_t>* out) {
  if (line.take("all")) return;
  std::istringstream list(line.peek());
  for (std::string id; std::getline(list, id, ',');) {
    char* end = nullptr;
    const unsigned long value = std::strtoul(id.c_str(), &end, 10);
    if (id.empty() || *end != 0 || value >= kBroadcastId) line.refuse("'all' or ids like 3 or 1,2");
    out->push_back(static_cast<uint8_t>(value));
  }
  if (out->empty()) line.refuse("'all' or ids like 3 or 1,2");
  line.take(line.peek());
}

void take_options(Line& line, const FaultKindRow& kind, FaultCommand* out) {
  const auto allows = [&kind](unsigned option) { return (kind.options & option) != 0; };
  const Measure* measure = measure_of(kind);
  while (!line.done()) {
    if (line.take("at")) {
      out->at_s = line.number("seconds", 0, 1e9);
    } else if (measure != nullptr && line.take(measure->word)) {
      out->value = line.number(measure->unit, kind.lowest, kind.highest);
      out->has_value = true;
    } else if (allows(kServo) && line.take("servo")) {
      take_servos(line, &out->servos);
    } else if (allows(kFor) && line.take("for")) {
      out->for_s = line.number("seconds", 0, 1e9);
    } else if (allows(kChance) && line.take("probability")) {
      out->probability = line.number("a probability", 0, 1);
    } else if (allows(kChance) && line.take("count")) {
      out->count = static_cast<uint64_t>(line.whole("number", 1, 1e15));
    } else if (allows(kChance) && line.take("seed")) {
      out->seed = static_cast<uint64_t>(line.whole("number", 0, 1e15));
    } else if (allows(kInRequests) && line.peek() == "in" && line.peek(1) == "requests") {
      line.take("in");
      line.take("requests");
      out->in_requests = true;
    } else if (allows(kUnasked) && line.take("unasked")) {
      out->unasked = true;
    } else if (allows(kLink) && line.peek() == "without" && line.peek(1) == "link") {
      line.take("without");
      line.take("link");
      out->keeps_link = false;
    } else {
      std::string options = "'at'";
      if (measure != nullptr) options += ", '" + std::string(measure->word) + "'";
      if (allows(kServo)) options += ", 'servo'";
      if (allows(kFor)) options += ", 'for'";
      if (allows(kChance)) options += ", 'probability', 'count', 'seed'";
      if (allows(kInRequests)) options += ", 'in requests'";
      if (allows(kUnasked)) options += ", 'unasked'";
      if (allows(kLink)) options += ", 'without link'";
      line.refuse(options + " or the end of the line");
    }
  }
  if (measure != nullptr && !out->has_value && measure->argument != FaultArgument::kToDegrees) {
    line.refuse("'" + std::string(measure->word) + "' and " + measure->unit);
  }
}

FaultCommand parse_line(Line& line) {
  FaultCommand out;
  if (line.take("at")) out.at_s = line.number("seconds", 0, 1e9);
  const FaultKindRow& kind = take_kind(line, &out.amount);
  out.kind = kind.kind;
  if (out.kind == FaultKind::kReboot || out.kind == FaultKind::kBrownOut) out.for_s = kRebootS;
  take_argument(line, kind, &out);
  take_options(line, kind, &out);
  if (out.unasked && out.count == kNoLimit) out.count = 1;
  return out;
}

}  // namespace

std::vector<FaultCommand> parse_fault_script(const std::string& text) {
  std::vector<FaultCommand> out;
  std::istringstream lines(text);
  int number = 0;
  for (std::string words; std::getline(lines, words);) {
    Line line(words, ++number);
    if (line.done()) continue;
    out.push_back(parse_line(line));
  }
  return out;
}

}  // namespace so100
