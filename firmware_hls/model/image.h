/* What a card image offers to the program that emulates a card: the kernels of firmware_hls compiled by g++, clocked as
 * one, in one shared object (the emulated card's xclbin carries it as its bitstream section).
 *
 * One thread at a time may be inside the functions of one card (the object that `create` gave). Nothing here waits:
 * `run` clocks at most the cycles it was given. Times are cycles of the kernel clock, modelled at 300 MHz. */
#ifndef LINECRYPT_FIRMWARE_HLS_MODEL_IMAGE_H
#define LINECRYPT_FIRMWARE_HLS_MODEL_IMAGE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LINECRYPT_CARD_IMAGE_API 1

/* What the image needs of its host: the card's memory. */
struct linecrypt_card_host {
  void* self;
  /* The bytes [address, address + length) of card memory, valid until the function that asked returns; null: no live
   * memory there. Then the mover reports bad_work (the control kernel bad_command) and goes on. */
  unsigned char* (*memory)(void* self, uint64_t address, uint64_t length);
};

struct linecrypt_card_image {
  uint32_t api;     /* LINECRYPT_CARD_IMAGE_API */
  uint32_t kernels; /* entries of kernel_names */
  /* As in the xclbin, "kernel:compute_unit"; index 0 is the control kernel, which alone has registers for the host. */
  const char* const* kernel_names;

  /* Each table and register is zero, as after reg::CardCommand reset. `host` must outlive the card. */
  void* (*create)(const struct linecrypt_card_host* host, uint64_t seed);
  void (*destroy)(void* card);

  /* AXI4-Lite access, 32-bit words; an offset or kernel without a register reads 0 and ignores writes. */
  uint32_t (*read_register)(void* card, uint32_t kernel, uint32_t offset);
  void (*write_register)(void* card, uint32_t kernel, uint32_t offset, uint32_t value);

  /* Clocks at most `cycles`; returns the cycles that passed. Steps in which nothing can move are skipped; when nothing
   * can move until the host acts, sets *idle to 1 and returns at once, else sets it to 0. */
  uint64_t (*run)(void* card, uint64_t cycles, int* idle);
  uint64_t (*now)(void* card); /* cycles since create */

  /* Faults: "wrong_tag" n: a bit of the tag computed for the n-th packet from now is flipped (1 is the next);
   * "stall" n: no progress for n cycles; "stop" 0: no progress any more; "stop_after" n: the same n cycles from now,
   * wherever each packet is by then. -1: unknown name. */
  int (*inject)(void* card, const char* fault, uint64_t argument);

  /* In-line ports. 0: no such port, or the port was full and the frame was dropped whole and counted. */
  int (*port_receive)(void* card, uint32_t port, const unsigned char* frame, uint32_t length);
  /* Bytes of the next frame leaving the port, written to `frame`; 0: none. A frame longer than `room` stays where it
   * is. */
  uint32_t (*port_transmit)(void* card, uint32_t port, unsigned char* frame, uint32_t room);
};

/* The symbol a loader looks up. */
__attribute__((visibility("default"))) extern const struct linecrypt_card_image linecrypt_card_image;

#ifdef __cplusplus
}
#endif

#endif
