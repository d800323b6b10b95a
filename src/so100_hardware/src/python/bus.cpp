// Bus and ServoGroup in Python.
#include "so100_hardware/bus.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "binding.hpp"
#include "so100_hardware/servo_group.hpp"

namespace so100 {
namespace {

void raise(Fault fault, const Bus& bus, const std::string& what) {
  if (fault == Fault::kNone) return;
  if (fault == Fault::kPortLost)
    throw BusError(ErrorKind::kPortLost, bus.port() + ": the device is gone while " + what);
  throw BusError(ErrorKind::kNoReply,
                 bus.port() + ": " + (fault == Fault::kNoReply ? "no reply" : "only garbage came") + " while " + what);
}

// The bus as Python has it: may be closed before its object goes.
class PyBus {
 public:
  PyBus(const std::string& port, int baud_rate, double reply_timeout_s, int retries) {
    BusOptions options;
    options.baud_rate = baud_rate;
    options.reply_timeout = std::chrono::microseconds(std::llround(reply_timeout_s * 1e6));
    options.retries = retries;
    bus_ = std::make_shared<Bus>(port, options);
  }

  // A call that has begun keeps the bus open until it is done, whoever closes it meanwhile.
  std::shared_ptr<Bus> bus() const {
    const std::shared_ptr<Bus> bus = std::atomic_load(&bus_);
    if (!bus) throw BusError(ErrorKind::kPortLost, "the bus is closed");
    return bus;
  }
  void close() { std::atomic_store(&bus_, std::shared_ptr<Bus>()); }

  int ping(int id) const {
    const auto open = bus();
    uint8_t status = 0;
    raise(open->ping(id_of(id), &status), *open, "pinging servo " + std::to_string(id));
    return status;
  }

  std::map<int, int> ping_all(double window_s) const {
    std::array<uint8_t, kBroadcastId> replies{};
    const auto open = bus();
    const std::chrono::microseconds window(std::llround(window_s * 1e6));
    raise(open->ping_all(window, replies.data()), *open, "pinging all servos");
    std::map<int, int> found;
    for (int id = 0; id < kBroadcastId; ++id) {
      if (replies[static_cast<std::size_t>(id)] > 0) found[id] = replies[static_cast<std::size_t>(id)];
    }
    return found;
  }

  int read(int id, const std::string& name) const {
    const Register& r = register_of(name);
    uint8_t bytes[2] = {0, 0};
    const auto open = bus();
    raise(open->read(id_of(id), r.address, bytes, r.size), *open, text("reading", r, id));
    return r.decode(static_cast<uint16_t>(bytes[0] | bytes[1] << 8));
  }

  void write(int id, const std::string& name, int value) const { write_by(&Bus::write, id, name, value); }
  void reg_write(int id, const std::string& name, int value) const { write_by(&Bus::reg_write, id, name, value); }
  void action() const {
    const auto open = bus();
    raise(open->action(), *open, "sending action");
  }

  std::map<int, int> sync_read(const std::vector<int>& ids, const std::string& name) const {
    const Register& r = register_of(name);
    const auto open = bus();
    const auto [servo_ids, count] = ids_of(ids);
    std::array<uint8_t, 2 * kMaxServos> data{};
    std::array<uint8_t, kMaxServos> statuses{};
    std::array<bool, kMaxServos> fresh{};
    const Fault fault =
        open->sync_read(r.address, r.size, servo_ids.data(), count, data.data(), statuses.data(), fresh.data());
    std::string silent;
    std::map<int, int> values;
    for (std::size_t i = 0; i < count; ++i) {
      if (!fresh[i]) silent += " " + std::to_string(ids[i]);
      const uint8_t* p = &data[i * r.size];
      values[ids[i]] = r.decode(static_cast<uint16_t>(r.size == 2 ? p[0] | p[1] << 8 : p[0]));
    }
    raise(fault, *open, "reading " + std::string(r.name) + " of servos" + silent);
    return values;
  }

  void sync_write(const std::string& name, const std::map<int, int>& values) const {
    const Register& r = register_of(name);
    std::vector<int> ids;
    std::vector<uint8_t> data;
    for (const auto& [id, value] : values) {
      const uint16_t raw = raw_of(r, value);
      ids.push_back(id);
      data.push_back(static_cast<uint8_t>(raw));
      if (r.size == 2) data.push_back(static_cast<uint8_t>(raw >> 8));
    }
    const auto [servo_ids, count] = ids_of(ids);
    const auto open = bus();
    raise(open->sync_write(r.address, r.size, servo_ids.data(), count, data.data()), *open, "writing " + name);
  }

 private:
  static uint8_t id_of(int id) {
    if (id < 0 || id > kBroadcastId) {
      throw BusError(ErrorKind::kBadRequest, "servo id: expected 0 to 254, found " + std::to_string(id));
    }
    return static_cast<uint8_t>(id);
  }

  static std::pair<std::array<uint8_t, kMaxServos>, std::size_t> ids_of(const std::vector<int>& ids) {
    if (ids.empty() || ids.size() > kMaxServos) {
      throw BusError(ErrorKind::kBadRequest,
                     "expected 1 to " + std::to_string(kMaxServos) + " servos, found " + std::to_string(ids.size()));
    }
    std::array<uint8_t, kMaxServos> out{};
    for (std::size_t i = 0; i < ids.size(); ++i) out[i] = id_of(ids[i]);
    return {out, ids.size()};
  }

  static uint16_t raw_of(const Register& r, int value) {
    if (!r.holds(value)) {
      throw BusError(ErrorKind::kBadRequest, std::string(r.name) + ": cannot hold " + std::to_string(value));
    }
    return r.encode(value);
  }

  static std::string text(const char* doing, const Register& r, int id) {
    return doing + (" " + std::string(r.name)) + " of servo " + std::to_string(id);
  }

  void write_by(Fault (Bus::*method)(uint8_t, uint8_t, const uint8_t*, std::size_t) noexcept, int id,
                const std::string& name, int value) const {
    const Register& r = register_of(name);
    const uint16_t raw = raw_of(r, value);
    const uint8_t bytes[2] = {static_cast<uint8_t>(raw), static_cast<uint8_t>(raw >> 8)};
    const auto open = bus();
    raise(((*open).*method)(id_of(id), r.address, bytes, r.size), *open, text("writing", r, id));
  }

  std::shared_ptr<Bus> bus_;
};

// The group, and its last reading: a row that did not come stays as it was.
class PyGroup {
 public:
  PyGroup(std::shared_ptr<PyBus> bus, std::vector<ServoJoint> joints)
      : bus_(std::move(bus)), group_(*bus_->bus(), std::move(joints)) {}

  void check_servos() {
    const auto open = bus_->bus();
    group_.check_servos();
  }
  void activate() {
    const auto open = bus_->bus();
    group_.activate(&state_);
  }
  Fault read() {
    const auto open = bus_->bus();
    return group_.read(&state_);
  }
  Fault torque_off() {
    const auto open = bus_->bus();
    return group_.torque_off();
  }
  Fault write(const double* goal_rad) {
    const auto open = bus_->bus();
    return group_.write(goal_rad);
  }
  const ServoGroup& group() const { return group_; }
  const GroupState& state() const { return state_; }

 private:
  std::shared_ptr<PyBus> bus_;
  ServoGroup group_;
  GroupState state_;
};

template <typename T, std::size_t N>
py::array_t<T> first_of(const std::array<T, N>& values, std::size_t size) {
  return py::array_t<T>(static_cast<py::ssize_t>(size), values.data());
}

}  // namespace

const double* floats_of(const Floats& values, std::size_t size, const char* name) {
  if (values.ndim() != 1 || static_cast<std::size_t>(values.size()) != size) {
    throw BusError(ErrorKind::kBadRequest, std::string(name) + ": expected " + std::to_string(size) +
                                               " numbers, found an array of " + std::to_string(values.size()));
  }
  return values.data();
}

void bind_bus(py::module_& m) {
  const auto unlocked = py::call_guard<py::gil_scoped_release>();
  py::class_<BusCounters>(m, "BusCounters")
      .def_readonly("requests", &BusCounters::requests)
      .def_readonly("retries", &BusCounters::retries)
      .def_readonly("failures", &BusCounters::failures)
      .def_readonly("discarded_bytes", &BusCounters::discarded_bytes)
      .def_readonly("checksum_errors", &BusCounters::checksum_errors)
      .def_readonly("foreign_packets", &BusCounters::foreign_packets);
  py::class_<PyBus, std::shared_ptr<PyBus>>(m, "Bus", "A servo bus, opened for this program alone.")
      .def(py::init<const std::string&, int, double, int>(), unlocked, "port"_a, "baud_rate"_a = 1000000,
           "reply_timeout_s"_a = 0.02, "retries"_a = 1)
      .def_property_readonly("port", [](const PyBus& b) { return b.bus()->port(); })
      .def_property_readonly("counters", [](const PyBus& b) { return b.bus()->counters(); })
      .def("ping", &PyBus::ping, unlocked, "servo_id"_a)
      .def("ping_all", &PyBus::ping_all, unlocked, "window_s"_a = 0.8)
      .def("read", &PyBus::read, unlocked, "servo_id"_a, "register"_a)
      .def("write", &PyBus::write, unlocked, "servo_id"_a, "register"_a, "value"_a)
      .def("reg_write", &PyBus::reg_write, unlocked, "servo_id"_a, "register"_a, "value"_a)
      .def("action", &PyBus::action, unlocked)
      .def("sync_read", &PyBus::sync_read, unlocked, "servo_ids"_a, "register"_a)
      .def("sync_write", &PyBus::sync_write, unlocked, "register"_a, "values"_a)
      .def("close", &PyBus::close)
      .def("__enter__", [](std::shared_ptr<PyBus> b) { return b; })
      .def("__exit__", [](PyBus& b, const py::args&) { b.close(); });
}

void bind_group(py::module_& m) {
  const auto unlocked = py::call_guard<py::gil_scoped_release>();
  py::class_<ServoJoint>(m, "ServoJoint", "A joint and the servo that turns it.")
      .def(py::init([](std::string name, int servo_id, int sign, int zero_ticks, std::pair<int, int> range_ticks,
                       std::pair<double, double> limits_rad) {
             if (servo_id < 0 || servo_id >= kBroadcastId) {
               throw BusError(ErrorKind::kBadRequest,
                              "joint " + name + ": servo_id: expected 0 to 253, found " + std::to_string(servo_id));
             }
             return ServoJoint{std::move(name),
                               static_cast<uint8_t>(servo_id),
                               sign,
                               zero_ticks,
                               range_ticks.first,
                               range_ticks.second,
                               limits_rad.first,
                               limits_rad.second};
           }),
           "name"_a, "servo_id"_a, "sign"_a, "zero_ticks"_a, "range_ticks"_a, "limits_rad"_a)
      .def_readonly("name", &ServoJoint::name)
      .def_readonly("servo_id", &ServoJoint::servo_id)
      .def_readonly("sign", &ServoJoint::sign)
      .def_readonly("zero_ticks", &ServoJoint::zero_ticks)
      .def_property_readonly("range_ticks", [](const ServoJoint& j) { return std::pair(j.range_min, j.range_max); })
      .def_property_readonly("limits_rad", [](const ServoJoint& j) { return std::pair(j.lower_rad, j.upper_rad); })
      .def("radians", &ServoJoint::radians, "ticks"_a)
      .def("ticks", &ServoJoint::ticks, "rad"_a);
  py::class_<PyReading>(m, "GroupState", "One reading of all servos, in the order of the joints.")
      .def_property_readonly("fault", [](const PyReading& r) { return std::string(fault_name(r.fault)); })
      .def_property_readonly("position_rad", [](const PyReading& r) { return first_of(r.state.position_rad, r.size); })
      .def_property_readonly("velocity_rad_s",
                             [](const PyReading& r) { return first_of(r.state.velocity_rad_s, r.size); })
      .def_property_readonly("effort", [](const PyReading& r) { return first_of(r.state.effort, r.size); })
      .def_property_readonly("voltage_v", [](const PyReading& r) { return first_of(r.state.voltage_v, r.size); })
      .def_property_readonly("temperature_c",
                             [](const PyReading& r) { return first_of(r.state.temperature_c, r.size); })
      .def_property_readonly("current_a", [](const PyReading& r) { return first_of(r.state.current_a, r.size); })
      .def_property_readonly("error_bits", [](const PyReading& r) { return first_of(r.state.error_bits, r.size); })
      .def_property_readonly("moving", [](const PyReading& r) { return first_of(r.state.moving, r.size); })
      .def_property_readonly("fresh", [](const PyReading& r) { return first_of(r.state.fresh, r.size); });
  py::class_<PyGroup>(m, "ServoGroup", "The arm's servos as joints.")
      .def(py::init<std::shared_ptr<PyBus>, std::vector<ServoJoint>>(), "bus"_a, "joints"_a)
      .def("check_servos", &PyGroup::check_servos, unlocked)
      .def("activate",
           [](PyGroup& g) {
             {
               const py::gil_scoped_release release;
               g.activate();
             }
             return PyReading{g.state(), g.group().size(), Fault::kNone};
           })
      .def("read",
           [](PyGroup& g) {
             Fault fault = Fault::kNone;
             {
               const py::gil_scoped_release release;
               fault = g.read();
             }
             return PyReading{g.state(), g.group().size(), fault};
           })
      .def(
          "write",
          [](PyGroup& g, const Floats& goal_rad) {
            const double* goals = floats_of(goal_rad, g.group().size(), "goal_rad");
            Fault fault = Fault::kNone;
            {
              const py::gil_scoped_release release;
              fault = g.write(goals);
            }
            return std::string(fault_name(fault));
          },
          "goal_rad"_a)
      .def("torque_off",
           [](PyGroup& g) {
             Fault fault = Fault::kNone;
             {
               const py::gil_scoped_release release;
               fault = g.torque_off();
             }
             return std::string(fault_name(fault));
           })
      .def_property_readonly("clamped_goals", [](const PyGroup& g) { return g.group().clamped_goals(); });
}

}  // namespace so100
