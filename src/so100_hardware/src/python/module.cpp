// The Python module so100_hardware._bus.
#include "binding.hpp"

PYBIND11_MODULE(_bus, m) {
  so100::define_errors(m);
  so100::bind_registers(m);
  so100::bind_packets(m);
  so100::bind_bus(m);
  so100::bind_group(m);
  so100::bind_arm(m);
  so100::bind_ledger(m);
  so100::bind_virtual_bus(m);
}
