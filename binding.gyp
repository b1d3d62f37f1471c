{
  "includes": ["native/sources.gypi"],
  "variables": {
    "kernel_library_type": "static_library"
  },
  "target_defaults": {
    "cflags": ["<@(common_flags)"],
    "cflags_cc": ["-std=c++17"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "11.0",
      "OTHER_CFLAGS": ["<@(common_flags)"]
    }
  },
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "kernels_sse2",
          "type": "<(kernel_library_type)",
          "sources": ["<@(kernel_sources)"],
          "defines": ["SADDLEPOINT_ISA=sse2"],
          "cflags_cc": ["<@(kernel_flags)", "<@(flags_sse2)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(kernel_flags)", "<@(flags_sse2)"]}
        },
        {
          "target_name": "kernels_avx2",
          "type": "<(kernel_library_type)",
          "sources": ["<@(kernel_sources)"],
          "defines": ["SADDLEPOINT_ISA=avx2"],
          "cflags_cc": ["<@(kernel_flags)", "<@(flags_avx2)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(kernel_flags)", "<@(flags_avx2)"]}
        },
        {
          "target_name": "kernels_avx512",
          "type": "<(kernel_library_type)",
          "sources": ["<@(kernel_sources)"],
          "defines": ["SADDLEPOINT_ISA=avx512"],
          "cflags_cc": ["<@(kernel_flags)", "<@(flags_avx512)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(kernel_flags)", "<@(flags_avx512)"]}
        }
      ]
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "kernels_neon",
          "type": "<(kernel_library_type)",
          "sources": ["<@(kernel_sources)"],
          "defines": ["SADDLEPOINT_ISA=neon"],
          "cflags_cc": ["<@(kernel_flags)", "<@(flags_neon)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(kernel_flags)", "<@(flags_neon)"]}
        }
      ]
    }]
  ],
  "targets": [
    {
      "target_name": "saddlepoint",
      "sources": ["native/addon.cc", "<@(runtime_sources)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=9",
        "NODE_ADDON_API_CPP_EXCEPTIONS_ALL",
        "SADDLEPOINT_VERSION=\"<!(node -p \"require('./package.json').version\")\""
      ],
      "cflags_cc!": ["-fno-exceptions"],
      "cflags_cc": ["-fexceptions"],
      "xcode_settings": {"GCC_ENABLE_CPP_EXCEPTIONS": "YES"},
      "conditions": [
        ["target_arch=='x64'", {"dependencies": ["kernels_sse2", "kernels_avx2", "kernels_avx512"]}],
        ["target_arch=='arm64'", {"dependencies": ["kernels_neon"]}],
        ["OS=='linux'", {
          "ldflags": ["-static-libstdc++", "-static-libgcc", "-Wl,-z,nodelete", "-Wl,--exclude-libs,ALL"]
        }]
      ]
    }
  ]
}
