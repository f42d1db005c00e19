/* A program that knows nothing but the installed linecrypt.h: one ESP packet and one MACsec frame from one context to
 * another and back to what they were. Exit 0 only if all of it held. */
#include <linecrypt/linecrypt.h>
#include <stdio.h>
#include <string.h>

enum { HEADROOM = 128, LENGTH = 14 + 20 + 100, TAILROOM = 128, BUFFER = HEADROOM + LENGTH + TAILROOM };

static char text[256];

static int fail(const char* what) {
  fprintf(stderr, "roundtrip: %s: %s\n", what, text);
  return 1;
}

static void make_frame(uint8_t* frame) {
  static const uint8_t ethernet[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
  static const uint8_t ip[20] = {0x45, 0, 0, 120, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 2, 0, 1};
  uint32_t sum = 0;
  int i;
  memcpy(frame, ethernet, sizeof ethernet);
  memcpy(frame + 14, ip, sizeof ip);
  for (i = 0; i < 20; i += 2) sum += (uint32_t)ip[i] << 8 | ip[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  frame[24] = (uint8_t)(~sum >> 8);
  frame[25] = (uint8_t)~sum;
  for (i = 34; i < LENGTH; ++i) frame[i] = (uint8_t)i;
}

static int run_one(lc_context* context, lc_sa sa, uint32_t operation, lc_buffer* buffer) {
  lc_job job;
  lc_job* list = &job;
  uint32_t spins = 0;
  lc_job_init(&job);
  job.source = *buffer;
  job.stages[0].sa = sa;
  job.stages[0].operation = operation;
  if (lc_submit(context, 0, &list, 1) != 1) return fail("not accepted");
  while (job.verdict == LC_VERDICT_PENDING && ++spins < 1000000) lc_poll(context, 0, &list, 1);
  if (job.verdict != LC_VERDICT_OK) {
    snprintf(text, sizeof text, "%s", lc_verdict_name(job.verdict));
    return fail("verdict");
  }
  *buffer = job.source;
  return 0;
}

static int round_trip(lc_context* a, lc_sa out, uint32_t there, lc_context* b, lc_sa in, uint32_t back) {
  uint8_t memory[BUFFER] = {0};
  uint8_t frame[LENGTH];
  lc_buffer buffer = {memory + HEADROOM, LENGTH, HEADROOM, TAILROOM};
  uint32_t i;
  make_frame(frame);
  memcpy(buffer.data, frame, LENGTH);
  if (run_one(a, out, there, &buffer) != 0) return 1;
  if (buffer.length <= LENGTH) return fail("nothing was added");
  for (i = 0; i + 32 <= buffer.length; ++i)
    if (memcmp(buffer.data + i, frame + 50, 32) == 0) return fail("clear text in the protected frame");
  if (run_one(b, in, back, &buffer) != 0) return 1;
  if (buffer.length != LENGTH || memcmp(buffer.data, frame, LENGTH) != 0) return fail("differs after the way back");
  return 0;
}

int main(void) {
  lc_context* a;
  lc_context* b;
  uint8_t key[32], salt[12];
  lc_esp_sa esp;
  lc_macsec_sa macsec;
  lc_sa out, in;
  int i;
  if (lc_version() != LC_VERSION) return fail("another library than the header's");
  for (i = 0; i < 32; ++i) key[i] = (uint8_t)(i * 7 + 1);
  for (i = 0; i < 12; ++i) salt[i] = (uint8_t)(i * 5 + 3);
  if (lc_context_open(NULL, &a, text, sizeof text) != LC_OK) return fail("open a");
  if (lc_context_open(NULL, &b, text, sizeof text) != LC_OK) return fail("open b");

  lc_esp_sa_init(&esp);
  esp.spi = 0x1001;
  esp.key = key;
  esp.key_size = 32;
  esp.salt = salt;
  esp.salt_size = 4;
  lc_address_parse("192.0.2.1", &esp.source);
  lc_address_parse("192.0.2.2", &esp.destination);
  if (lc_esp_sa_add(a, &esp, "esp out", &out, text, sizeof text) != LC_OK) return fail("add esp out");
  esp.direction = LC_INGRESS;
  if (lc_esp_sa_add(b, &esp, "esp in", &in, text, sizeof text) != LC_OK) return fail("add esp in");
  if (lc_find_spi(b, 0x1001).generation != in.generation) return fail("SPI not found");
  if (round_trip(a, out, LC_ESP_ENCAPSULATE, b, in, LC_ESP_DECAPSULATE) != 0) return 1;

  key[0] ^= 0xff;
  lc_macsec_sa_init(&macsec);
  macsec.sci_address[0] = 2;
  macsec.sci_address[5] = 1;
  macsec.key = key;
  macsec.key_size = 32;
  macsec.salt = salt;
  macsec.salt_size = 12;
  macsec.ssci = 1;
  if (lc_macsec_sa_add(a, &macsec, "macsec tx", &out, text, sizeof text) != LC_OK) return fail("add macsec tx");
  macsec.direction = LC_INGRESS;
  if (lc_macsec_sa_add(b, &macsec, "macsec rx", &in, text, sizeof text) != LC_OK) return fail("add macsec rx");
  if (round_trip(a, out, LC_MACSEC_PROTECT, b, in, LC_MACSEC_VALIDATE) != 0) return 1;
  lc_cleanse(key, sizeof key);

  if (lc_context_close(a) != LC_OK || lc_context_close(b) != LC_OK) return fail("close");
  puts("roundtrip: ESP and MACsec through the C interface came back equal");
  return 0;
}
