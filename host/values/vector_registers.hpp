// Clears the vector registers of the calling thread. What enciphered or copied a key last left it there; it outlives
// system calls, and a core dump holds the registers of every thread. For a thread that worked with keys and now hands
// back to code that knows of none, or goes to rest.
#pragma once

namespace linecrypt {

// All of them, to their full width.
void clear_vector_registers() noexcept;

// At the end of a scope, whichever way it is left.
struct ClearsVectorRegisters {
  ClearsVectorRegisters() = default;
  ClearsVectorRegisters(const ClearsVectorRegisters&) = delete;
  ClearsVectorRegisters& operator=(const ClearsVectorRegisters&) = delete;
  ~ClearsVectorRegisters() { clear_vector_registers(); }
};

namespace detail {

// Its parts, one a generation of CPUs.
void clear_sse_registers() noexcept;    // xmm0 to xmm15
void clear_avx_registers() noexcept;    // the same sixteen, to their full width
void clear_upper_registers() noexcept;  // zmm16 to zmm31

}  // namespace detail

}  // namespace linecrypt
