// Arm and its configuration in Python.
#include "so100_hardware/arm.hpp"

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "binding.hpp"

namespace so100 {
namespace {

std::vector<ServoJoint> servo_joints_of(const ArmConfig& config) {
  std::vector<ServoJoint> joints;
  for (const ArmJoint& joint : config.joints) joints.push_back(joint.servo);
  return joints;
}

// The arm as of its last cycle, with that cycle's fault.
PyReading reading_of(const Arm& arm, Fault fault) { return {arm.state(), arm.size(), fault}; }

template <typename Call>
Fault unlocked(Call call) {
  const py::gil_scoped_release release;
  return call();
}

}  // namespace

void bind_arm(py::module_& m) {
  const auto no_gil = py::call_guard<py::gil_scoped_release>();
  py::class_<ArmConfig>(m, "ArmConfig", "What one arm is, out of the strings of a <ros2_control> block.")
      .def(py::init([](const Parameters& hardware,
                       const std::vector<std::tuple<std::string, Parameters, std::string, std::string>>& joints) {
             std::vector<JointBlock> blocks;
             for (const auto& [name, parameters, lowest, highest] : joints) {
               blocks.push_back({name, parameters, lowest, highest});
             }
             return parse_arm_config(hardware, blocks);
           }),
           "hardware"_a, "joints"_a)
      .def_readonly("usb_port", &ArmConfig::usb_port)
      .def_property_readonly("baud_rate", [](const ArmConfig& c) { return c.bus.baud_rate; })
      .def_readonly("auto_reconnect", &ArmConfig::auto_reconnect)
      .def_readonly("torque_off_on_deactivate", &ArmConfig::torque_off_on_deactivate)
      .def_property_readonly("joints", &servo_joints_of)
      .def_property_readonly("joint_names", [](const ArmConfig& c) {
        py::tuple names(c.joints.size());
        for (std::size_t i = 0; i < c.joints.size(); ++i) names[i] = c.joints[i].servo.name;
        return names;
      });
  py::class_<ArmCounters>(m, "ArmCounters")
      .def_readonly("cycles", &ArmCounters::cycles)
      .def_readonly("failed_reads", &ArmCounters::failed_reads)
      .def_readonly("failed_writes", &ArmCounters::failed_writes)
      .def_readonly("held_cycles", &ArmCounters::held_cycles)
      .def_readonly("implausible", &ArmCounters::implausible)
      .def_readonly("clamped_goals", &ArmCounters::clamped_goals)
      .def_readonly("slowed_goals", &ArmCounters::slowed_goals)
      .def_readonly("lost", &ArmCounters::lost);
  py::class_<Health>(m, "Health", "One line of /diagnostics.")
      .def_property_readonly("level", [](const Health& h) { return static_cast<int>(h.level); })
      .def_readonly("name", &Health::name)
      .def_readonly("message", &Health::message)
      .def_property_readonly("values", [](const Health& h) {
        py::dict values;
        for (const auto& [key, value] : h.values) values[key.c_str()] = value;
        return values;
      });
  py::class_<Arm>(m, "Arm", "One arm: every rule between a robot description and its servos.")
      .def(py::init<ArmConfig>(), "config"_a)
      .def_property_readonly("config", &Arm::config)
      .def("open", &Arm::open, no_gil, "now_s"_a)
      .def("activate", &Arm::activate, no_gil, "now_s"_a)
      .def(
          "read",
          [](Arm& arm, double now_s) {
            const Fault fault = unlocked([&] { return arm.read(now_s); });
            return reading_of(arm, fault);
          },
          "now_s"_a)
      .def(
          "write",
          [](Arm& arm, const Floats& goal_rad, double now_s) {
            const double* goals = floats_of(goal_rad, arm.size(), "goal_rad");
            return std::string(fault_name(unlocked([&] { return arm.write(goals, now_s); })));
          },
          "goal_rad"_a, "now_s"_a)
      .def("deactivate", [](Arm& arm) { return std::string(fault_name(unlocked([&] { return arm.deactivate(); }))); })
      .def("release", [](Arm& arm) { return std::string(fault_name(unlocked([&] { return arm.release(); }))); })
      .def("close", &Arm::close, no_gil)
      .def_property_readonly(
          "phase",
          [](const Arm& arm) {
            return arm.phase() == ArmPhase::kActive ? "active" : arm.phase() == ArmPhase::kOpen ? "open" : "closed";
          })
      .def_property_readonly("lost", [](const Arm& arm) { return std::string(fault_name(arm.lost())); })
      .def_property_readonly("lost_text", [](const Arm& arm) { return lost_text(arm.lost()); })
      .def_property_readonly("held", &Arm::held)
      .def_property_readonly("state", [](const Arm& arm) { return reading_of(arm, Fault::kNone); })
      .def_property_readonly("troubles",
                             [](const Arm& arm) {
                               std::vector<std::string> troubles;
                               for (std::size_t i = 0; i < arm.size(); ++i) {
                                 troubles.emplace_back(trouble_name(arm.trouble(i)));
                               }
                               return troubles;
                             })
      .def_property_readonly("blocked",
                             [](const Arm& arm) {
                               std::vector<bool> blocked;
                               for (std::size_t i = 0; i < arm.size(); ++i) blocked.push_back(arm.blocked(i));
                               return blocked;
                             })
      .def_property_readonly("counters", &Arm::counters)
      .def_property_readonly("bus_counters", &Arm::bus_counters)
      .def_property_readonly("gains_written", &Arm::gains_written)
      .def("report", &Arm::report, no_gil);
  m.def("error_text", [](int bits) { return error_text(static_cast<uint8_t>(bits)); }, "bits"_a);
  m.attr("MUTE_AFTER_S") = kMuteAfterS;
  m.attr("LOST_AFTER_S") = kLostAfterS;
  m.attr("PROBE_PERIOD_S") = kProbePeriodS;
  m.attr("SUPERVISE_PERIOD_S") = kSupervisePeriodS;
  m.attr("RETURN_SPEED_RAD_S") = kReturnSpeedRadS;
}

}  // namespace so100
