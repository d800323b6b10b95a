// What this processor, under this operating system, lets the kernels do.

enum Feature { kFloat32 = 0, kBFloat16 = 1 };

// Compiled without any of the extensions that it asks about. Feature 0: kernels on float32 and int8; 1: on bfloat16.
extern "C" __attribute__((visibility("default"))) bool smolvla_kernels_available(int feature) {
#if defined(__x86_64__)
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (feature == kFloat32) return wide;
  if (feature == kBFloat16) return wide && __builtin_cpu_supports("avx512bf16");
#else
  static_cast<void>(feature);
#endif
  return false;
}
