// Feeds the packet parser what a broken line may: random bytes, packets cut, flipped, doubled and glued together, in
// pieces of any length. Built with sanitizers by test_native.py. Usage: fuzz_packet_parser ROUNDS SEED
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "so100_hardware/packet.hpp"

namespace {

using Bytes = std::vector<uint8_t>;

std::mt19937 engine;

std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(engine); }
uint8_t byte() { return static_cast<uint8_t>(below(4) == 0 ? 0xFF : below(256)); }

Bytes packet(std::size_t most) {
  Bytes parameters(below(most + 1));
  for (uint8_t& p : parameters) p = byte();
  Bytes out(so100::kOverheadBytes + parameters.size());
  so100::encode_packet(static_cast<uint8_t>(below(254)), byte(), parameters.data(), parameters.size(), out.data());
  return out;
}

void break_it(Bytes* bytes) {
  switch (below(5)) {
    case 0:
      (*bytes)[below(bytes->size())] ^= static_cast<uint8_t>(1u << below(8));
      break;
    case 1:
      bytes->erase(bytes->begin() + static_cast<long>(below(bytes->size())));
      break;
    case 2:
      bytes->insert(bytes->begin() + static_cast<long>(below(bytes->size())), byte());
      break;
    case 3:
      bytes->resize(below(bytes->size()) + 1);
      break;
    default:
      break;
  }
}

[[noreturn]] void fail(const char* what, unsigned long round) {
  std::printf("round %lu: %s\n", round, what);
  std::exit(1);
}

void check(const so100::PacketView& found, std::size_t most, unsigned long round) {
  if (found.count > most) fail("more parameters than expect_at_most", round);
  Bytes again(so100::kOverheadBytes + found.count);
  so100::encode_packet(found.id, found.code, found.parameters, found.count, again.data());
  if (again.back() != found.parameters[found.count]) fail("a packet whose checksum is wrong", round);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const unsigned long rounds = std::strtoul(argv[1], nullptr, 10);
  engine.seed(static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)));
  unsigned long packets = 0;
  for (unsigned long round = 0; round < rounds; ++round) {
    so100::PacketParser parser;
    const std::size_t most = below(2) == 0 ? so100::kMaxParameters : below(20);
    parser.expect_at_most(most);
    Bytes stream;
    for (std::size_t n = below(12); n > 0; --n) {
      Bytes piece = packet(below(8) == 0 ? so100::kMaxParameters : 20);
      if (below(2) == 0) break_it(&piece);
      stream.insert(stream.end(), piece.begin(), piece.end());
      while (below(3) == 0) stream.push_back(byte());
    }
    so100::PacketView found{};
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t piece = std::min(stream.size() - at, below(below(8) == 0 ? 2000 : 40) + 1);
      parser.push(&stream[at], piece);
      at += piece;
      while (parser.next(&found)) {
        ++packets;
        check(found, most, round);
      }
      if (below(10) == 0) parser.skip();
    }
    // Whatever came before: once it was given up, the next whole packet is found and nothing else.
    while (parser.pending() > 0) {
      parser.skip();
      while (parser.next(&found)) check(found, most, round);
    }
    const Bytes last = packet(most);
    parser.push(last.data(), last.size());
    if (!parser.next(&found) || found.id != last[2] || found.count != last.size() - so100::kOverheadBytes) {
      fail("a whole packet was not found", round);
    }
    if (parser.next(&found) || parser.pending() != 0) fail("something was left behind the last packet", round);
  }
  std::printf("%lu rounds, %lu packets found\n", rounds, packets);
  return 0;
}
