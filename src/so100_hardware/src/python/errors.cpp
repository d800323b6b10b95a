// BusError's kinds as Python exceptions.
#include "so100_hardware/errors.hpp"

#include <exception>
#include <map>
#include <string>

#include "binding.hpp"

namespace so100 {
namespace {

// One Python class for each ErrorKind, all below BusError.
struct PythonError {
  ErrorKind kind;
  const char* name;
  const char* doc;
};
constexpr PythonError kPythonErrors[] = {
    {ErrorKind::kPortNotFound, "PortNotFoundError", "No device at that path."},
    {ErrorKind::kPortPermission, "PortPermissionError", "The user may not open the device."},
    {ErrorKind::kNotASerialPort, "NotASerialPortError", "The path is no serial device."},
    {ErrorKind::kPortInUse, "PortInUseError", "Another program drives this bus."},
    {ErrorKind::kPortLost, "PortLostError", "The device went away while in use."},
    {ErrorKind::kNoBus, "NoBusError", "A serial device, but no servo answers."},
    {ErrorKind::kMissingServo, "MissingServoError", "Some servos answer, others do not."},
    {ErrorKind::kWrongModel, "WrongModelError", "A servo of another model."},
    {ErrorKind::kWrongFirmware, "WrongFirmwareError", "Servos of different firmware on one arm."},
    {ErrorKind::kForeignCalibration, "ForeignCalibrationError", "A description or calibration of another arm."},
    {ErrorKind::kDescription, "DescriptionError", "A robot description that no arm can be driven by."},
    {ErrorKind::kWrongMode, "WrongModeError", "A servo that is not in position mode."},
    {ErrorKind::kNoReply, "NoReplyError", "No valid reply within the deadline and retries."},
    {ErrorKind::kBadRequest, "BadRequestError", "A request or setting that makes no sense."},
};
std::map<ErrorKind, PyObject*>& error_classes() {
  static auto* classes = new std::map<ErrorKind, PyObject*>;  // lives as long as the interpreter
  return *classes;
}

}  // namespace

void define_errors(py::module_& m) {
  const auto define = [&m](const char* name, const char* doc, PyObject* base) {
    PyObject* type = PyErr_NewExceptionWithDoc(("so100_hardware." + std::string(name)).c_str(), doc, base, nullptr);
    if (type == nullptr) throw py::error_already_set();
    m.add_object(name, py::reinterpret_borrow<py::object>(type));
    return type;
  };
  PyObject* base =
      define("BusError", "What is wrong with the servo bus, in words for the operator.", PyExc_RuntimeError);
  for (const PythonError& e : kPythonErrors) error_classes()[e.kind] = define(e.name, e.doc, base);
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const BusError& e) {
      PyErr_SetString(error_classes().at(e.kind()), e.what());
    }
  });
}

}  // namespace so100
