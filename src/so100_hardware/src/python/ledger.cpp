// The records of a virtual bus in Python.
#include "so100_hardware/ledger.hpp"

#include <string>
#include <vector>

#include "binding.hpp"

namespace so100 {
namespace {

py::bytes as_bytes(const std::vector<uint8_t>& bytes) {
  return py::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

const char* name_of(FaultEvent::What what) {
  switch (what) {
    case FaultEvent::What::kStruck:
      return "struck";
    case FaultEvent::What::kBegan:
      return "began";
    default:
      return "ended";
  }
}

std::vector<std::string> names_of(const std::vector<FaultKind>& kinds) {
  std::vector<std::string> out;
  for (const FaultKind kind : kinds) out.emplace_back(fault_kind_name(kind));
  return out;
}

}  // namespace

void bind_ledger(py::module_& m) {
  py::class_<CapturedBytes>(m, "CapturedBytes", "Bytes as they were on the wire. Times are time.monotonic()'s.")
      .def_readonly("begin_s", &CapturedBytes::begin_s)
      .def_readonly("end_s", &CapturedBytes::end_s)
      .def_readonly("to_servos", &CapturedBytes::to_servos)
      .def_property_readonly("bytes", [](const CapturedBytes& c) { return as_bytes(c.bytes); });
  py::class_<FaultEvent>(m, "FaultEvent", "A fault that struck one packet, began or ended.")
      .def_readonly("time_s", &FaultEvent::time_s)
      .def_property_readonly("kind", [](const FaultEvent& e) { return fault_kind_name(e.kind); })
      .def_property_readonly("what", [](const FaultEvent& e) { return name_of(e.what); })
      .def_property_readonly("servo_id", [](const FaultEvent& e) {
        return e.servo_id < 0 ? std::nullopt : std::optional<int>(e.servo_id);
      });
  py::class_<ReplyRecord>(m, "ReplyRecord", "A reply, as the servo made it and as the master got it.")
      .def_readonly("request", &ReplyRecord::request)
      .def_readonly("request_s", &ReplyRecord::request_s)
      .def_readonly("sent_s", &ReplyRecord::sent_s)
      .def_readonly("servo_id", &ReplyRecord::servo_id)
      .def_readonly("address", &ReplyRecord::address)
      .def_property_readonly("truth", [](const ReplyRecord& r) { return as_bytes(r.truth); })
      .def_property_readonly("sent", [](const ReplyRecord& r) { return as_bytes(r.sent); })
      .def_property_readonly("faults", [](const ReplyRecord& r) { return names_of(r.faults); });
  py::class_<WriteRecord>(m, "WriteRecord", "A write that a servo took, and how the servo stood right after it.")
      .def_readonly("request", &WriteRecord::request)
      .def_readonly("time_s", &WriteRecord::time_s)
      .def_readonly("servo_id", &WriteRecord::servo_id)
      .def_readonly("address", &WriteRecord::address)
      .def_property_readonly("data", [](const WriteRecord& w) { return as_bytes(w.data); })
      .def_readonly("tampered", &WriteRecord::tampered)
      .def_readonly("torque_before", &WriteRecord::torque_before)
      .def_readonly("torque_after", &WriteRecord::torque_after)
      .def_readonly("goal_ticks", &WriteRecord::goal_ticks)
      .def_readonly("present_ticks", &WriteRecord::present_ticks);
}

}  // namespace so100
