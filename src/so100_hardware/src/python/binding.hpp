// The parts of the Python module so100_hardware._bus. Whatever waits for the bus lets other Python threads run
// meanwhile.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstddef>
#include <string>

#include "so100_hardware/registers.hpp"
#include "so100_hardware/servo_group.hpp"

namespace so100 {

namespace py = pybind11;
using namespace pybind11::literals;

using Floats = py::array_t<double, py::array::c_style | py::array::forcecast>;

// A reading as Python has it: GroupState.
struct PyReading {
  GroupState state;
  std::size_t size;
  Fault fault;
};

void define_errors(py::module_& m);
void bind_registers(py::module_& m);
void bind_packets(py::module_& m);
void bind_bus(py::module_& m);
void bind_group(py::module_& m);
void bind_arm(py::module_& m);  // after bind_group
void bind_ledger(py::module_& m);
void bind_virtual_bus(py::module_& m);

// These throw BusError (kBadRequest) for what a caller got wrong.
const Register& register_of(const std::string& name);
const double* floats_of(const Floats& values, std::size_t size, const char* name);

}  // namespace so100
