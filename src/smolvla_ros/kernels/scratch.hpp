// Memory that a thread keeps from call to call, so that a kernel allocates only when it meets a larger shape.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace smolvla {

class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::free(memory_); }

  // Uninitialised, on a cache line's border; what an earlier call returned is gone when this one asks for more.
  template <typename T>
  T* room_for(std::size_t count) {
    const std::size_t bytes = (count * sizeof(T) + 63) / 64 * 64;
    if (bytes > bytes_) {
      std::free(memory_);
      bytes_ = 0;
      memory_ = std::aligned_alloc(64, bytes);
      if (memory_ == nullptr) throw std::bad_alloc();
      bytes_ = bytes;
    }
    return static_cast<T*>(memory_);
  }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace smolvla
