// VirtualBus in Python.
#include "so100_hardware/virtual_bus.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "binding.hpp"
#include "so100_hardware/errors.hpp"
#include "so100_hardware/first_order_arm.hpp"

namespace so100 {
namespace {

struct PySetpoints {
  py::array_t<double> position_ticks;
  py::array_t<bool> torque_enabled;
};

}  // namespace

void bind_virtual_bus(py::module_& m) {
  py::class_<PySetpoints>(m, "VirtualSetpoints", "Where the simulated servos' controllers want their shafts.")
      .def_readonly("position_ticks", &PySetpoints::position_ticks)
      .def_readonly("torque_enabled", &PySetpoints::torque_enabled);
  struct PyVirtualBus {
    std::unique_ptr<VirtualBus> bus;
    std::unique_ptr<FirstOrderArm> arm;
    VirtualBus& open() const {
      if (!bus) throw BusError(ErrorKind::kPortLost, "the virtual bus is closed");
      return *bus;
    }
    void close() {
      const py::gil_scoped_release release;
      arm.reset();
      bus.reset();
    }
  };
  py::class_<PyVirtualBus>(m, "VirtualBus", "Simulated STS3215 servos behind a pseudo-terminal.")
      .def(py::init([](const std::vector<int>& servo_ids, const std::optional<std::string>& link,
                       const std::optional<std::vector<double>>& start_ticks) {
             std::vector<uint8_t> ids;
             for (const int id : servo_ids) {
               if (id < 0 || id >= kBroadcastId) {
                 throw BusError(ErrorKind::kBadRequest,
                                "servo_ids: expected ids of 0 to 253, found " + std::to_string(id));
               }
               ids.push_back(static_cast<uint8_t>(id));
             }
             return PyVirtualBus{
                 std::make_unique<VirtualBus>(ids, link.value_or(""), start_ticks.value_or(std::vector<double>())),
                 nullptr};
           }),
           "servo_ids"_a = std::vector<int>{1, 2, 3, 4, 5, 6}, "link"_a = py::none(), "start_ticks"_a = py::none())
      .def_property_readonly("port", [](const PyVirtualBus& b) { return b.open().port(); })
      .def(
          "exchange",
          [](const PyVirtualBus& b, const Floats& position, const Floats& speed, const Floats& load, double dt_s) {
            VirtualBus& bus = b.open();
            if (b.arm) throw BusError(ErrorKind::kBadRequest, "the first-order arm moves this bus already");
            const std::size_t n = bus.size();
            std::vector<ServoSetpoint> setpoints(n);
            bus.exchange(floats_of(position, n, "position_ticks"), floats_of(speed, n, "speed_ticks_s"),
                         floats_of(load, n, "load_permille"), dt_s, setpoints.data());
            PySetpoints out{py::array_t<double>(static_cast<py::ssize_t>(n)),
                            py::array_t<bool>(static_cast<py::ssize_t>(n))};
            for (std::size_t i = 0; i < n; ++i) {
              out.position_ticks.mutable_data()[i] = setpoints[i].position_ticks;
              out.torque_enabled.mutable_data()[i] = setpoints[i].torque_enabled;
            }
            return out;
          },
          "position_ticks"_a, "speed_ticks_s"_a, "load_permille"_a, "dt_s"_a)
      .def_property_readonly("bytes_carried", [](const PyVirtualBus& b) { return b.open().bytes_carried(); })
      .def("start_first_order_arm",
           [](PyVirtualBus& b) {
             if (!b.arm) b.arm = std::make_unique<FirstOrderArm>(b.open());
           })
      .def(
          "get",
          [](const PyVirtualBus& b, uint8_t id, const std::string& name) {
            return b.open().get(id, register_of(name));
          },
          "servo_id"_a, "register"_a)
      .def(
          "set",
          [](const PyVirtualBus& b, uint8_t id, const std::string& name, int value) {
            b.open().set(id, register_of(name), value);
          },
          "servo_id"_a, "register"_a, "value"_a)
      .def(
          "mute", [](const PyVirtualBus& b, uint8_t id, bool muted) { b.open().mute(id, muted); }, "servo_id"_a,
          "muted"_a = true)
      .def(
          "inject",
          [](const PyVirtualBus& b, const std::string& bytes) {
            b.open().inject(std::vector<uint8_t>(bytes.begin(), bytes.end()));
          },
          "noise"_a)
      .def("close", &PyVirtualBus::close)
      .def("__enter__", [](py::object b) { return b; })
      .def("__exit__", [](PyVirtualBus& b, const py::args&) { b.close(); });
}

}  // namespace so100
