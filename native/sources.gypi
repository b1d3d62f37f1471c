{
  "variables": {
    "runtime_sources": [
      "native/runtime/aligned_memory.cc",
      "native/runtime/available_cpus.cc",
      "native/runtime/check.cc",
      "native/runtime/check_attention.cc",
      "native/runtime/check_elementwise.cc",
      "native/runtime/check_windows.cc",
      "native/runtime/cpu.cc",
      "native/runtime/executor.cc",
      "native/runtime/program.cc",
      "native/runtime/runner.cc",
      "native/runtime/thread.cc",
      "native/runtime/thread_pool.cc"
    ],
    "kernel_sources": [
      "native/kernels/attention.cc",
      "native/kernels/attention_grad.cc",
      "native/kernels/batchnorm.cc",
      "native/kernels/check_range.cc",
      "native/kernels/conv2d.cc",
      "native/kernels/conv2d_input_grad.cc",
      "native/kernels/conv2d_weight_grad.cc",
      "native/kernels/cross_entropy.cc",
      "native/kernels/elementwise.cc",
      "native/kernels/index.cc",
      "native/kernels/layernorm.cc",
      "native/kernels/matmul.cc",
      "native/kernels/peak.cc",
      "native/kernels/pool_average.cc",
      "native/kernels/pool_max.cc",
      "native/kernels/random.cc",
      "native/kernels/reduce.cc",
      "native/kernels/softmax.cc",
      "native/kernels/table.cc"
    ],
    "common_flags": ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-lto", "-fvisibility=hidden", "-Wall", "-Wextra"],
    "kernel_flags": ["-fno-exceptions", "-fno-rtti", "-fvisibility-inlines-hidden"],
    "isas_x64": ["sse2", "avx2", "avx512"],
    "isas_arm64": ["neon"],
    "flags_sse2": ["-msse2"],
    "flags_avx2": ["-mavx2", "-mfma"],
    "flags_avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
    "flags_neon": []
  }
}
