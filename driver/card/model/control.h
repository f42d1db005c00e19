/* What a test may do to the emulated card of its own process, apart from what XRT offers. The HAL library exports
 * these; a program finds them with dlsym(RTLD_DEFAULT, ...) once XRT has loaded the library (that is, once a device was
 * opened or counted), so nothing links against it.
 *
 * Times are cycles of the card's virtual clock, which counts from the first load and runs on over resets. A card whose
 * xclbin holds plain kernels instead of a card image counts one cycle for each register access, transfer and finished
 * run. Every function returns -ENODEV for a device that is not configured. All may be called from any thread. */
#ifndef LINECRYPT_DRIVER_CARD_MODEL_CONTROL_H
#define LINECRYPT_DRIVER_CARD_MODEL_CONTROL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Plans a fault for cycle `at_cycle` (a moment that has passed, such as 0: now). Names and what `argument` means are in
 * README.md. -EINVAL: unknown name. */
int linecrypt_model_fault(unsigned device, const char* name, uint64_t at_cycle, uint64_t argument);

/* Drops the faults that are planned and have not happened. */
int linecrypt_model_forget_faults(unsigned device);

/* The virtual clock; 0 for a device that is not there. */
uint64_t linecrypt_model_now(unsigned device);

/* Stops the clock until release. While held, step clocks at most `cycles` and returns the cycles that passed (fewer
 * when nothing can move): a test that holds and steps sees the same run each time. */
int linecrypt_model_hold(unsigned device);
int linecrypt_model_release(unsigned device);
int64_t linecrypt_model_step(unsigned device, uint64_t cycles);

/* Plugs the cable of an in-line port in (1) or pulls it out (0). Without it no frame goes in, and those that leave are
 * lost and counted. -EINVAL: no such port. */
int linecrypt_model_cable(unsigned device, unsigned port, int plugged);

enum linecrypt_model_link {
  LINECRYPT_MODEL_WELL = 0,  /* as it should be (perhaps without an xclbin) */
  LINECRYPT_MODEL_HUNG = 1,  /* answers, but no compute unit makes progress */
  LINECRYPT_MODEL_LOST = 2,  /* registers read 0xffffffff; memory and fabric keep what they hold */
  LINECRYPT_MODEL_KILLED = 3 /* the same, and memory, registers and bitstream are gone */
};

struct linecrypt_model_state {
  uint64_t now;
  uint32_t link;       /* enum linecrypt_model_link */
  uint32_t loaded;     /* 1: an xclbin is loaded */
  uint64_t downloads;  /* xclbins that were really downloaded (the one that is there already is not) */
  uint64_t opens;      /* sessions opened so far */
  uint64_t open_now;   /* and not closed */
  uint64_t buffers;    /* buffers alive in card memory */
  uint64_t faults;     /* faults that have happened */
  uint64_t syncs;      /* transfers asked for */
  uint64_t bytes_to;   /* bytes moved to the card */
  uint64_t bytes_from; /* and back */
  uint64_t register_reads;
  uint64_t register_writes;
  uint64_t runs;             /* plain kernels' finished runs */
  uint64_t refused;          /* requests refused (each has its log line) */
  uint64_t port_in[2];       /* frames given to each in-line port */
  uint64_t port_lost[2];     /* of those, dropped by the card because its FIFO was full */
  uint64_t port_out[2];      /* frames sent */
  uint64_t port_out_lost[2]; /* of those, not taken by what the port is attached to */
};

int linecrypt_model_report(unsigned device, struct linecrypt_model_state* state);

/* The last request that was refused, in the words of its log line; empty before the first. `room` counts the final
 * zero. */
int linecrypt_model_last_refusal(unsigned device, char* words, uint64_t room);

/* Copies of `bytes` in the card's memory, freed buffers included: what somebody who reads the memory chips would find.
 */
int64_t linecrypt_model_find(unsigned device, const void* bytes, uint64_t length);

/* Reads card memory as the chips hold it, freed or not. -EFAULT: outside the banks. */
int linecrypt_model_read(unsigned device, uint64_t address, void* to, uint64_t length);

#ifdef __cplusplus
}
#endif

#endif
