/* linecrypt.h: the C interface of liblinecrypt (C99). AES-GCM for IPsec ESP and for MACsec over bursts of packets.
 *
 * The same engine, rules and verdicts as the C++ interface beside it (engine.hpp and its neighbours). What a word means
 * (SA, SPI, ESN, SecY, SC, AN, PN, XPN, SSCI) is in RFC 4301, 4303, 4106 and IEEE 802.1AE-2018.
 *
 * Threads. A context has one control thread at a time: every function that takes an lc_context is for it, except
 * lc_submit and lc_poll (one worker thread per queue; nothing of a queue is shared with another) and lc_find_spi,
 * lc_verdict_total and lc_capabilities_get (any thread). Control never stops a worker. Two contexts share
 * nothing but the rule that one process never encrypts twice in the same number space.
 *
 * Errors. Control functions return an lc_status. A refusal's sentence goes to `text` (at most `text_size` bytes with
 * the final zero, cut where longer; NULL and 0 are allowed): it names the field, what was asked and what is allowed,
 * and never holds key material. On success text is the empty string. Nothing here throws, aborts, prints or sets a
 * signal.
 *
 * Structs that may grow begin with `size`, set by the lc_*_init functions below. A smaller size is an older program:
 * what it does not know keeps its default. A larger one is a newer program: refused unless what it adds is zero.
 *
 * Keys. Key and salt bytes are copied into locked memory that no core dump contains; the caller cleanses its own copy
 * (lc_cleanse). No function returns a key.
 */
#ifndef LINECRYPT_LINECRYPT_H
#define LINECRYPT_LINECRYPT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- version ---------------------------------------------------------------------------------------------------- */

#define LC_VERSION_MAJOR 0
#define LC_VERSION_MINOR 1
#define LC_VERSION_PATCH 0
#define LC_VERSION (LC_VERSION_MAJOR * 0x10000 + LC_VERSION_MINOR * 0x100 + LC_VERSION_PATCH)

/* Of the library that runs, to compare with LC_VERSION of the header. Equal major and minor numbers fit together. */
uint32_t lc_version(void);
/* "0.1.0"; static memory. */
const char* lc_version_text(void);

/* ---- status, ids ------------------------------------------------------------------------------------------------ */

typedef enum lc_status {
  LC_OK = 0,
  LC_INVALID = -1,   /* the call is wrong: a NULL, a size field, a value that names nothing */
  LC_REFUSED = -2,   /* a rule of a standard, of the engine or of the key registry says no */
  LC_NOT_FOUND = -3, /* no such SA: the id is stale or was never given */
  LC_AGAIN = -4,     /* not now: call again after lc_service or once jobs have finished */
  LC_FAILED = -5     /* the system failed: memory, disk, random numbers */
} lc_status;

/* "ok", "invalid", ...; "unknown" for other values. Static memory. */
const char* lc_status_name(int status);

/* Names an SA. generation 0 is no SA; an id that outlived its SA is recognised and never hits another. */
typedef struct lc_sa {
  uint32_t index;
  uint32_t generation;
} lc_sa;

/* Overwrites memory in a way that the compiler may not remove. NULL or 0 bytes: nothing. Any thread. */
void lc_cleanse(void* memory, size_t size);

/* Optional, for a program's main, before anything uses OpenSSL: from then on OpenSSL allocates from memory that no core
 * dump contains and cleanses what it frees, for the whole process. LC_REFUSED: it has allocated already; nothing
 * changed. Again is harmless. Without it a provider's key contexts are protected all the same, OpenSSL's own copies of
 * key schedules are only cleansed. */
int lc_protect_openssl_memory(void);

/* ---- verdicts --------------------------------------------------------------------------------------------------- */

/* The outcome of one packet. Names are stable, numbers are so only for these three; look others up by name once. */
enum { LC_VERDICT_PENDING = 0, LC_VERDICT_OK = 1, LC_VERDICT_NONE = 255 };

uint32_t lc_verdict_count(void);
/* "esp_bad_icv"; "unknown" at lc_verdict_count() and above. Static memory. Any thread; so are the next three. */
const char* lc_verdict_name(uint32_t verdict);
/* One sentence for people. */
const char* lc_verdict_text(uint32_t verdict);
/* 1: the packet must be dropped. */
int lc_verdict_is_drop(uint32_t verdict);
/* LC_VERDICT_NONE when there is no such name (or NULL). */
uint32_t lc_verdict_find(const char* name);

/* ---- context ---------------------------------------------------------------------------------------------------- */

typedef struct lc_context lc_context;

enum { LC_PROVIDER_AUTOMATIC = 0, LC_PROVIDER_IPSEC_MB = 1, LC_PROVIDER_OPENSSL = 2, LC_PROVIDER_VAES = 3 };

typedef struct lc_options {
  uint32_t size;
  uint32_t provider; /* LC_PROVIDER_*: what computes AES-GCM. A forced one that this CPU cannot run is refused */
  /* Where numbers of persistent keys are kept (mode 0700; shared with linecryptd and linecryptctl of this host). NULL:
   * ephemeral keys only, their numbers in memory. */
  const char* state_directory;
  uint32_t max_sas; /* 1..65536 */
  uint32_t queues;  /* 1..64 */
  /* Monotonic nanoseconds, for lifetimes; NULL: the system's clock. Called on the control thread. */
  uint64_t (*now_ns)(void* user);
  /* Returns once each worker passed a point where it is in no lc_submit or lc_poll, after the call began; called by
   * lc_sa_remove, before keys are cleansed. NULL: only right when no worker runs beside the control thread. */
  void (*wait_for_workers)(void* user);
  void* user; /* handed to both */
} lc_options;

/* Fills the first `size` bytes with defaults (software AES-GCM as the CPU has it, no state directory, 1024 SAs, one
 * queue) and sets the size field. LC_INVALID: NULL or a size smaller than the first version's. Use lc_options_init. */
int lc_options_defaults(lc_options* options, size_t size);
static inline int lc_options_init(lc_options* options) {
  return lc_options_defaults(options, sizeof *options);
}

/* Opens a context over the software engine, after its self-test. `options` NULL: defaults. *context is set only on
 * LC_OK and NULL otherwise. LC_REFUSED: a provider that cannot run here, a state directory with wrong owner, mode or
 * content; LC_FAILED: no memory or no random numbers. */
int lc_context_open(const lc_options* options, lc_context** context, char* text, size_t text_size);
/* Removes every SA, cleanses keys, frees the context. No job may be in flight: LC_AGAIN then, and nothing changed.
 * NULL: LC_OK. */
int lc_context_close(lc_context* context);

/* Known answers through the same code that packets take. LC_REFUSED names the first wrong one. */
int lc_context_self_test(lc_context* context, char* text, size_t text_size);
/* The same for one provider (LC_PROVIDER_*), without a context. Any thread. */
int lc_self_test(uint32_t provider, char* text, size_t text_size);

/* ---- capabilities ----------------------------------------------------------------------------------------------- */

typedef struct lc_capabilities {
  uint32_t size;
  uint32_t max_sas; /* of this context */
  uint32_t max_queues;
  uint32_t max_burst;  /* jobs of one lc_submit that are sure to be looked at */
  uint32_t max_packet; /* bytes of one frame, before or after */
  uint32_t max_stages;
  uint32_t replay_window_max;
  uint32_t max_selectors; /* per ingress SA */
  uint32_t macsec_clear_tags;
  uint32_t duplicate_bitmap_max;
  /* 0 or 1 each */
  uint8_t esp, esp_tunnel, esp_transport, esp_inter_family, esp_udp, esp_esn, esp_tfc;
  uint8_t aes_128, aes_192, aes_256, gmac;
  uint8_t macsec, macsec_xpn, macsec_integrity_only, macsec_confidentiality_offset;
  uint8_t reserved0;
  char engine[32];   /* "software" */
  char provider[96]; /* "ipsec-mb 1.3.0 (avx512)" */
} lc_capabilities;

/* `out->size` says how much of it to fill: set it to sizeof. */
int lc_capabilities_get(const lc_context* context, lc_capabilities* out);

/* ---- ESP SA ----------------------------------------------------------------------------------------------------- */

enum { LC_EGRESS = 0, LC_INGRESS = 1 };
enum { LC_ESP_TUNNEL = 0, LC_ESP_TRANSPORT = 1 };
enum {
  LC_AES_GCM_128 = 0,
  LC_AES_GCM_192 = 1,
  LC_AES_GCM_256 = 2,
  LC_AES_GMAC_128 = 3,
  LC_AES_GMAC_192 = 4,
  LC_AES_GMAC_256 = 5
};
enum { LC_DF_COPY = 0, LC_DF_SET = 1, LC_DF_CLEAR = 2 };
/* Ephemeral: made for this process and gone with it (IKE, MKA). Persistent: outlives it; needs a state directory and
 * lc_esp_sa_enroll or lc_macsec_sa_enroll once, else a restart would repeat numbers. */
enum { LC_KEY_EPHEMERAL = 0, LC_KEY_PERSISTENT = 1 };

/* Network byte order; IPv4 uses the first 4 bytes, the others are zero. */
typedef struct lc_address {
  uint8_t family; /* 4 or 6 */
  uint8_t bytes[16];
} lc_address;

/* Dotted or RFC 5952 text. LC_INVALID: NULL or not an address. Any thread. */
int lc_address_parse(const char* text, lc_address* out);

typedef struct lc_prefix {
  lc_address address; /* host bits zero */
  uint8_t length;     /* 0..32 or 0..128 */
} lc_prefix;

/* What an inner packet must match after decapsulation. `local` is this end's clear side: the destination there. */
typedef struct lc_selector {
  lc_prefix local;
  lc_prefix remote;
  int16_t protocol;                           /* IP protocol 0..255, or -1: any */
  uint16_t local_port_first, local_port_last; /* 0 and 65535: any */
  uint16_t remote_port_first, remote_port_last;
} lc_selector;

/* 0: no limit. Accepted packets only; bytes are inner bytes. */
typedef struct lc_limit {
  uint64_t packets, bytes, seconds;
} lc_limit;

typedef struct lc_esp_sa {
  uint32_t size;
  uint32_t spi;      /* 256 and above */
  uint8_t direction; /* LC_EGRESS, LC_INGRESS */
  uint8_t mode;      /* LC_ESP_* */
  uint8_t algorithm; /* LC_AES_* */
  uint8_t key_life;  /* LC_KEY_* */
  const uint8_t* key;
  uint32_t key_size;
  uint32_t salt_size; /* 4 */
  const uint8_t* salt;
  uint8_t esn;
  uint8_t replay_disabled; /* the explicit flag for a window of 0; refused with ESN */
  uint8_t verify_outer;   /* ingress: the outer (tunnel) or only (transport) header must carry source and destination */
  uint8_t udp;            /* RFC 3948 */
  uint32_t replay_window; /* ingress: 64..4096, a power of two */
  uint16_t udp_source_port, udp_destination_port;
  uint8_t udp_verify_ports;
  uint8_t df; /* LC_DF_* */
  uint8_t dscp_copy_out, dscp_copy_in;
  uint8_t dscp; /* 0..63, when not copied out */
  uint8_t ecn;  /* RFC 6040 normal mode */
  uint8_t hop_limit;
  uint8_t decrement_ttl;
  uint8_t flow_label_copy;
  uint8_t reserved0;
  uint16_t tfc_pad_to; /* egress, tunnel mode: pad shorter inner packets to this */
  lc_address source, destination;
  lc_limit soft, hard;
  const lc_selector* selectors; /* ingress; none: any inner packet passes, so give some */
  size_t selector_count;
} lc_esp_sa;

/* Defaults: egress, tunnel, AES-256-GCM, ESN, window 1024, outer header verified, DF and DSCP copied out, ECN by RFC
 * 6040, hop limit 64, ports 4500, no limits, ephemeral. Key, SPI and addresses are the caller's to set. */
int lc_esp_sa_defaults(lc_esp_sa* sa, size_t size);
static inline int lc_esp_sa_init(lc_esp_sa* sa) {
  return lc_esp_sa_defaults(sa, sizeof *sa);
}

/* May it be installed? The standards' rules first, then the engine's limits. Nothing changes. */
int lc_esp_sa_check(const lc_context* context, const lc_esp_sa* sa, char* text, size_t text_size);
/* Claims the key, takes a lease of numbers or the ingress mark, installs and publishes the SA; on failure all of it is
 * undone. LC_REFUSED also: a second egress user of a key, one key for both directions, a persistent key that is not
 * enrolled. `label` names the SA for people (at most 127 bytes; NULL: none). May wait for the disk. */
int lc_esp_sa_add(lc_context* context, const lc_esp_sa* sa, const char* label, lc_sa* id, char* text, size_t text_size);
/* Records a persistent key that was never used on this host; numbers start at `egress_next` (1 unless it was used
 * elsewhere). Refused when it is enrolled already. */
int lc_esp_sa_enroll(lc_context* context, const lc_esp_sa* sa, const char* label, uint64_t egress_next, char* text,
                     size_t text_size);

/* ---- MACsec SA -------------------------------------------------------------------------------------------------- */

enum { LC_GCM_AES_128 = 0, LC_GCM_AES_256 = 1, LC_GCM_AES_XPN_128 = 2, LC_GCM_AES_XPN_256 = 3 };
enum { LC_SCI_EXPLICIT = 0, LC_SCI_END_STATION = 1, LC_SCI_IMPLICIT = 2, LC_SCI_SCB = 3 };
enum { LC_VALIDATE_DISABLED = 0, LC_VALIDATE_CHECK = 1, LC_VALIDATE_STRICT = 2 };

typedef struct lc_vlan_tag {
  uint16_t tpid; /* 0x8100, 0x88a8 */
  uint16_t vid;  /* 0..4094 */
} lc_vlan_tag;

typedef struct lc_macsec_sa {
  uint32_t size;
  uint8_t direction;              /* LC_EGRESS, LC_INGRESS */
  uint8_t suite;                  /* LC_GCM_AES_* */
  uint8_t sci_encoding;           /* LC_SCI_* */
  uint8_t encrypt;                /* 0: integrity only */
  uint8_t confidentiality_offset; /* 0, 30, 50; 0 with XPN */
  uint8_t validate;               /* LC_VALIDATE_* */
  uint8_t replay_protect;
  uint8_t an;             /* 0..3 */
  uint32_t replay_window; /* 10.6.2; at most 2^30-1 with XPN */
  uint32_t duplicate_bitmap;
  lc_vlan_tag clear_tags[2];
  uint32_t clear_tag_count;
  uint8_t sci_address[6];
  uint16_t sci_port;
  const uint8_t* key;
  uint32_t key_size;
  uint32_t salt_size; /* XPN: 12, else 0 */
  const uint8_t* salt;
  uint32_t ssci;          /* XPN: of the transmitter */
  uint32_t key_life;      /* LC_KEY_* */
  uint64_t lowest_pn;     /* ingress */
  uint64_t pn_soft_limit; /* a message when the next PN reaches it; 0: the standard's */
} lc_macsec_sa;

/* Defaults: egress, GCM-AES-XPN-256, explicit SCI, encrypting, strict, replay protection with window 0, AN 0, port 1,
 * lowest PN 1, ephemeral. */
int lc_macsec_sa_defaults(lc_macsec_sa* sa, size_t size);
static inline int lc_macsec_sa_init(lc_macsec_sa* sa) {
  return lc_macsec_sa_defaults(sa, sizeof *sa);
}

/* As their lc_esp_sa_ namesakes. */
int lc_macsec_sa_check(const lc_context* context, const lc_macsec_sa* sa, char* text, size_t text_size);
int lc_macsec_sa_add(lc_context* context, const lc_macsec_sa* sa, const char* label, lc_sa* id, char* text,
                     size_t text_size);
int lc_macsec_sa_enroll(lc_context* context, const lc_macsec_sa* sa, const char* label, uint64_t egress_next,
                        char* text, size_t text_size);

/* ---- living with SAs -------------------------------------------------------------------------------------------- */

/* Retires the SA: later packets that name it get stale_sa. Waits for the workers, then cleanses its keys. */
int lc_sa_remove(lc_context* context, lc_sa id, char* text, size_t text_size);

/* The ingress ESP SA of an SPI (host byte order); generation 0 when there is none. Any thread, no lock. */
lc_sa lc_find_spi(const lc_context* context, uint32_t spi);

/* Renews leases, applies lifetimes in seconds, keeps ingress marks. Call at least every 10 ms while packets flow; an
 * egress SA whose lease ran out drops (lease_exhausted) until it was called. May wait for the disk. */
int lc_service(lc_context* context);
/* The oldest sentence of what happened (lifetimes, thresholds, disk errors), rate-limited, without its key material.
 * LC_NOT_FOUND: none. A sentence longer than text_size is cut. */
int lc_take_message(lc_context* context, char* text, size_t text_size);

/* NAT-T: the peer moved, learnt from an authenticated packet (RFC 3948). Egress ESP SA. */
int lc_sa_set_peer(lc_context* context, lc_sa id, const lc_address* address, uint16_t port, char* text,
                   size_t text_size);
/* MACsec ingress: the key agreement's lowest acceptable PN. */
int lc_sa_raise_lowest_pn(lc_context* context, lc_sa id, uint64_t lowest_pn, char* text, size_t text_size);

typedef struct lc_sa_state {
  uint32_t size;
  uint32_t expired;     /* 1: past a hard lifetime, drops all */
  uint64_t next_number; /* egress: next sequence or packet number */
  uint64_t lease_end;   /* egress: first number not lent */
  uint64_t window_top;  /* ingress: highest number accepted */
  /* What the engine counted for this SA. */
  uint64_t packets, bytes, unchecked, delayed, invalid, late, duplicate, bad_icv, mismatch, malformed, exhausted;
} lc_sa_state;

/* `out->size` says how much to fill: set it to sizeof. */
int lc_sa_read(const lc_context* context, lc_sa id, lc_sa_state* out);

/* Ids of the SAs that live, at most `capacity`; returns how many there are in all (0 for a NULL context). */
size_t lc_sa_list(const lc_context* context, lc_sa* out, size_t capacity);

/* Jobs that ended under this verdict on all queues since open. */
uint64_t lc_verdict_total(const lc_context* context, uint32_t verdict);

/* ---- packets ---------------------------------------------------------------------------------------------------- */

enum {
  LC_OPERATION_NONE = 0,
  LC_ESP_ENCAPSULATE = 1, /* clear IP packet behind l2_length bytes -> ESP behind the same header */
  LC_ESP_DECAPSULATE = 2, /* the way back */
  LC_MACSEC_PROTECT = 3,  /* Ethernet frame -> frame with SecTAG and ICV */
  LC_MACSEC_VALIDATE = 4  /* the way back */
};

/* Memory of the caller. The engine may move `data` into the headroom and grow `length` into the tailroom; it touches
 * nothing outside [data - headroom, data + length + tailroom). */
typedef struct lc_buffer {
  uint8_t* data;
  uint32_t length;
  uint32_t headroom;
  uint32_t tailroom;
} lc_buffer;

typedef struct lc_stage {
  lc_sa sa;
  uint32_t operation; /* LC_OPERATION_NONE ends the list */
} lc_stage;

/* One packet's work: up to two stages in order (ESP and MACsec in one trip). The library's from lc_submit until it is
 * done: do not move, read or write it or its memory in between. */
typedef struct lc_job {
  uint32_t size;
  uint8_t verdict;       /* out; LC_VERDICT_PENDING: not done yet */
  uint8_t verdict_stage; /* out: the stage that gave it */
  uint16_t l2_length;    /* Ethernet and VLAN bytes before the IP header; 0: bare IP. For ESP stages */
  uint64_t number;       /* out: sequence or packet number of the last stage */
  lc_buffer source;      /* in place: also the result */
  lc_buffer destination; /* data NULL: in place; else the result goes here, must not overlap source, and starts as
                            an empty buffer with room: length 0, headroom and tailroom as given */
  lc_stage stages[2];
  uint64_t user;         /* the caller's; not touched */
  uint64_t private_[40]; /* the library's */
} lc_job;

/* Zeroes the job and sets size and l2_length 14. */
int lc_job_defaults(lc_job* job, size_t size);
static inline int lc_job_init(lc_job* job) {
  return lc_job_defaults(job, sizeof *job);
}

/* Takes the first n jobs (returned; may be 0 when busy) and never blocks, allocates or locks. A job whose verdict is
 * not pending afterwards is done and does not come from lc_poll. A job that makes no sense (NULL memory, wrong size
 * field, unknown operation) is done at once under `unsupported`. On any ingress failure after decryption began the
 * payload is zero before the verdict can be seen. 0 for a NULL context, a NULL array or a queue that there is not; a
 * NULL among the jobs ends the burst before it. */
uint32_t lc_submit(lc_context* context, uint32_t queue, lc_job* const* jobs, uint32_t count);
/* Finished jobs into `done`; returns how many. In order per SA. */
uint32_t lc_poll(lc_context* context, uint32_t queue, lc_job** done, uint32_t capacity);

#ifdef __cplusplus
}
#endif

#endif /* LINECRYPT_LINECRYPT_H */
