// The register sheet and the packets in Python.
#include "so100_hardware/registers.hpp"

#include <optional>
#include <string>

#include "binding.hpp"
#include "so100_hardware/errors.hpp"
#include "so100_hardware/packet.hpp"

namespace so100 {
const Register& register_of(const std::string& name) {
  for (const Register& r : kRegisters) {
    if (r.name == name) return r;
  }
  throw BusError(ErrorKind::kBadRequest, "no register named " + name + "; see so100_hardware.REGISTERS");
}

void bind_registers(py::module_& m) {
  py::class_<Register>(m, "Register", "A line of the servo's register sheet.")
      .def_property_readonly("name", [](const Register& r) { return std::string(r.name); })
      .def_readonly("address", &Register::address)
      .def_readonly("size", &Register::size, "bytes")
      .def_property_readonly("writable", [](const Register& r) { return r.access == Access::kReadWrite; })
      .def_property_readonly(
          "memory",
          [](const Register& r) {
            return r.memory == Memory::kEeprom ? "eeprom" : r.memory == Memory::kSram ? "sram" : "factory";
          })
      .def_property_readonly(
          "sign_bit", [](const Register& r) { return r.sign_bit < 0 ? std::nullopt : std::optional<int>(r.sign_bit); })
      .def_readonly("per_count", &Register::per_count, "one count in `unit`; 0 for codes and flags")
      .def_property_readonly("unit", [](const Register& r) { return std::string(r.unit); })
      .def_property_readonly("initial", [](const Register& r) { return r.decode(r.initial); })
      .def("decode", [](const Register& r, uint16_t raw) { return r.decode(raw); })
      .def("encode",
           [](const Register& r, int value) {
             if (!r.holds(value)) {
               throw BusError(ErrorKind::kBadRequest, std::string(r.name) + ": cannot hold " + std::to_string(value));
             }
             return r.encode(value);
           })
      .def("__repr__", [](const Register& r) {
        return "<Register " + std::string(r.name) + " at " + std::to_string(r.address) + ">";
      });
  py::dict sheet;
  for (const Register& r : kRegisters) {
    sheet[py::str(std::string(r.name))] = py::cast(&r, py::return_value_policy::reference);
  }
  m.attr("REGISTERS") = sheet;
}

void bind_packets(py::module_& m) {
  m.def(
      "encode_packet",
      [](int id, int code, const std::string& parameters) {
        if (parameters.size() > kMaxParameters || id < 0 || id > 255 || code < 0 || code > 255) {
          throw BusError(ErrorKind::kBadRequest,
                         "a packet has an id and a code of one byte and at most 250 parameters");
        }
        uint8_t out[kMaxPacketBytes];
        const std::size_t n =
            encode_packet(static_cast<uint8_t>(id), static_cast<uint8_t>(code),
                          reinterpret_cast<const uint8_t*>(parameters.data()), parameters.size(), out);
        return py::bytes(reinterpret_cast<const char*>(out), n);
      },
      "id"_a, "code"_a, "parameters"_a = py::bytes());
  py::class_<PacketParser>(m, "PacketParser", "Cuts a byte stream into packets.")
      .def(py::init<>())
      .def("expect_at_most", &PacketParser::expect_at_most, "parameters"_a)
      .def("push",
           [](PacketParser& parser, const std::string& bytes) {
             parser.push(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
           })
      .def("next",
           [](PacketParser& parser) -> py::object {
             PacketView packet{};
             if (!parser.next(&packet)) return py::none();
             return py::make_tuple(packet.id, packet.code,
                                   py::bytes(reinterpret_cast<const char*>(packet.parameters), packet.count));
           })
      .def("skip", &PacketParser::skip)
      .def_property_readonly("pending", &PacketParser::pending)
      .def_property_readonly("discarded_bytes", &PacketParser::discarded_bytes)
      .def_property_readonly("checksum_errors", &PacketParser::checksum_errors);
}

}  // namespace so100
