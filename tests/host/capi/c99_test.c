/* The C interface from a C99 program: every struct, every misuse that C makes easy. */
#include <linecrypt/linecrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[256];

#define CHECK(condition)                                                                             \
  do {                                                                                               \
    if (!(condition)) {                                                                              \
      fprintf(stderr, "%s:%d: %s does not hold (text: %s)\n", __FILE__, __LINE__, #condition, text); \
      exit(1);                                                                                       \
    }                                                                                                \
  } while (0)

/* 1. Names and versions. */
static void names(void) {
  uint32_t v;
  CHECK(lc_version() == LC_VERSION);
  CHECK(strcmp(lc_version_text(), "0.1.0") == 0);
  CHECK(lc_verdict_count() > 60);
  CHECK(strcmp(lc_verdict_name(LC_VERDICT_PENDING), "pending") == 0);
  CHECK(strcmp(lc_verdict_name(LC_VERDICT_OK), "ok") == 0);
  for (v = 0; v < lc_verdict_count(); ++v) {
    CHECK(lc_verdict_find(lc_verdict_name(v)) == v);
    CHECK(strlen(lc_verdict_text(v)) > 5);
  }
  CHECK(lc_verdict_is_drop(lc_verdict_find("esp_bad_icv")) == 1);
  CHECK(lc_verdict_is_drop(LC_VERDICT_OK) == 0);
  CHECK(lc_verdict_is_drop(100000) == 1);
  CHECK(strcmp(lc_verdict_name(lc_verdict_count()), "unknown") == 0);
  CHECK(lc_verdict_find("no such verdict") == LC_VERDICT_NONE);
  CHECK(lc_verdict_find(NULL) == LC_VERDICT_NONE);
  CHECK(strcmp(lc_status_name(LC_REFUSED), "refused") == 0);
  CHECK(strcmp(lc_status_name(17), "unknown") == 0);
}

/* 2. NULL wherever a pointer is asked. */
static void nulls(lc_context* context) {
  lc_esp_sa esp;
  lc_macsec_sa macsec;
  lc_sa id = {0, 0};
  lc_sa_state state;
  lc_job job;
  lc_job* list = NULL;
  lc_job* one = &job;
  lc_address address;
  lc_capabilities capabilities;
  lc_esp_sa_init(&esp);
  lc_macsec_sa_init(&macsec);
  lc_job_init(&job);
  memset(&state, 0, sizeof state);
  state.size = sizeof state;
  capabilities.size = sizeof capabilities;
  CHECK(lc_options_defaults(NULL, sizeof(lc_options)) == LC_INVALID);
  CHECK(lc_esp_sa_defaults(NULL, sizeof esp) == LC_INVALID);
  CHECK(lc_macsec_sa_defaults(NULL, sizeof macsec) == LC_INVALID);
  CHECK(lc_job_defaults(NULL, sizeof(lc_job)) == LC_INVALID);
  CHECK(lc_options_defaults((lc_options*)&job, 3) == LC_INVALID);
  CHECK(lc_esp_sa_defaults(&esp, 3) == LC_INVALID);
  CHECK(lc_job_defaults(&job, sizeof job - 1) == LC_INVALID);
  CHECK(lc_context_open(NULL, NULL, text, sizeof text) == LC_INVALID);
  CHECK(strstr(text, "NULL") != NULL);
  CHECK(lc_context_close(NULL) == LC_OK);
  CHECK(lc_context_self_test(NULL, NULL, 0) == LC_INVALID);
  CHECK(lc_capabilities_get(NULL, &capabilities) == LC_INVALID);
  CHECK(lc_capabilities_get(context, NULL) == LC_INVALID);
  CHECK(lc_esp_sa_check(NULL, &esp, NULL, 0) == LC_INVALID);
  CHECK(lc_esp_sa_check(context, NULL, NULL, 0) == LC_INVALID);
  CHECK(lc_esp_sa_add(NULL, &esp, NULL, &id, NULL, 0) == LC_INVALID);
  CHECK(lc_esp_sa_add(context, NULL, NULL, &id, NULL, 0) == LC_INVALID);
  CHECK(lc_esp_sa_add(context, &esp, NULL, NULL, NULL, 0) == LC_INVALID);
  CHECK(lc_esp_sa_enroll(context, NULL, NULL, 1, NULL, 0) == LC_INVALID);
  CHECK(lc_macsec_sa_check(context, NULL, NULL, 0) == LC_INVALID);
  CHECK(lc_macsec_sa_add(context, &macsec, NULL, NULL, NULL, 0) == LC_INVALID);
  CHECK(lc_macsec_sa_enroll(NULL, &macsec, NULL, 1, NULL, 0) == LC_INVALID);
  CHECK(lc_sa_remove(NULL, id, NULL, 0) == LC_INVALID);
  CHECK(lc_sa_remove(context, id, NULL, 0) == LC_NOT_FOUND);
  CHECK(lc_sa_read(NULL, id, &state) == LC_INVALID);
  CHECK(lc_sa_read(context, id, NULL) == LC_INVALID);
  CHECK(lc_sa_read(context, id, &state) == LC_NOT_FOUND);
  CHECK(lc_sa_set_peer(context, id, NULL, 4500, NULL, 0) == LC_INVALID);
  CHECK(lc_sa_raise_lowest_pn(NULL, id, 1, NULL, 0) == LC_INVALID);
  CHECK(lc_sa_raise_lowest_pn(context, id, 1, NULL, 0) == LC_NOT_FOUND);
  CHECK(lc_find_spi(NULL, 256).generation == 0);
  CHECK(lc_find_spi(context, 256).generation == 0);
  CHECK(lc_service(NULL) == LC_INVALID);
  CHECK(lc_take_message(NULL, text, sizeof text) == LC_INVALID);
  CHECK(lc_take_message(context, NULL, 0) == LC_NOT_FOUND);
  CHECK(lc_sa_list(NULL, &id, 1) == 0);
  CHECK(lc_sa_list(context, NULL, 0) == 0);
  CHECK(lc_verdict_total(NULL, 1) == 0);
  CHECK(lc_verdict_total(context, 100000) == 0);
  CHECK(lc_submit(NULL, 0, &list, 1) == 0);
  CHECK(lc_submit(context, 0, NULL, 1) == 0);
  CHECK(lc_submit(context, 0, &list, 1) == 0);
  CHECK(lc_submit(context, 7, &one, 1) == 0);
  CHECK(lc_poll(NULL, 0, &list, 1) == 0);
  CHECK(lc_poll(context, 0, NULL, 1) == 0);
  CHECK(lc_poll(context, 7, &list, 1) == 0);
  CHECK(lc_poll(context, 0, &list, 1) == 0);
  CHECK(lc_address_parse(NULL, &address) == LC_INVALID);
  CHECK(lc_address_parse("10.0.0.1", NULL) == LC_INVALID);
  CHECK(lc_address_parse("10.0.0", &address) == LC_INVALID);
  CHECK(lc_address_parse("2001:db8::1", &address) == LC_OK && address.family == 6 && address.bytes[15] == 1);
  lc_cleanse(NULL, 10);
}

/* 3. Texts end with a zero in whatever room there is. */
static void short_texts(lc_context* context) {
  lc_esp_sa esp;
  char tiny[8];
  size_t room;
  lc_esp_sa_init(&esp);
  for (room = 1; room <= sizeof tiny; ++room) {
    memset(tiny, 'x', sizeof tiny);
    CHECK(lc_esp_sa_check(context, &esp, tiny, room) == LC_INVALID);
    CHECK(strlen(tiny) == room - 1);
    CHECK(room == sizeof tiny || tiny[room] == 'x');
  }
}

/* 4. Size fields. */
static void sizes(void) {
  lc_context* context = NULL;
  lc_options options;
  struct {
    lc_options known;
    uint64_t more;
  } newer;
  lc_options_init(&options);
  options.size = 0;
  CHECK(lc_context_open(&options, &context, text, sizeof text) == LC_INVALID && context == NULL);
  CHECK(strstr(text, "lc_options.size: 0") != NULL);
  options.size = 0xffffffffU;
  CHECK(lc_context_open(&options, &context, text, sizeof text) == LC_INVALID && context == NULL);
  CHECK(lc_options_defaults(&newer.known, sizeof newer) == LC_OK);
  CHECK(newer.known.size == sizeof newer);
  CHECK(lc_context_open(&newer.known, &context, text, sizeof text) == LC_OK);
  CHECK(lc_context_close(context) == LC_OK);
  newer.more = 1;
  CHECK(lc_context_open(&newer.known, &context, text, sizeof text) == LC_INVALID && context == NULL);
  CHECK(strstr(text, "newer program") != NULL);
}

int main(void) {
  lc_context* context = NULL;
  CHECK(lc_protect_openssl_memory() == LC_OK);
  names();
  CHECK(lc_context_open(NULL, &context, text, sizeof text) == LC_OK);
  nulls(context);
  short_texts(context);
  sizes();
  CHECK(lc_protect_openssl_memory() == LC_OK); /* again is harmless */
  CHECK(lc_context_close(context) == LC_OK);
  puts("c99: all of it held");
  return 0;
}
