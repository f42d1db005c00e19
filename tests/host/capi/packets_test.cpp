// Bursts through the C interface: what goes out comes back, what is wrong is dropped under its name.
#include <algorithm>

#include "tests/host/capi/support.hpp"

using namespace capi_test;

namespace {

std::uint32_t any_provider() {
  return GENERATE(std::uint32_t{LC_PROVIDER_IPSEC_MB}, std::uint32_t{LC_PROVIDER_OPENSSL});
}

struct Pair {
  Context a;
  Context b;
  lc_sa out{};
  lc_sa in{};
  Pair(std::uint32_t provider, lc_esp_sa sa) : a(provider), b(provider) {
    REQUIRE(lc_esp_sa_add(a, &sa, "out", &out, a.text.data(), a.text.size()) == LC_OK);
    sa.direction = LC_INGRESS;
    REQUIRE(lc_esp_sa_add(b, &sa, "in", &in, b.text.data(), b.text.size()) == LC_OK);
  }
  Pair(std::uint32_t provider, lc_macsec_sa sa) : a(provider), b(provider) {
    REQUIRE(lc_macsec_sa_add(a, &sa, "out", &out, a.text.data(), a.text.size()) == LC_OK);
    sa.direction = LC_INGRESS;
    REQUIRE(lc_macsec_sa_add(b, &sa, "in", &in, b.text.data(), b.text.size()) == LC_OK);
  }
};

}  // namespace

TEST_CASE("an ESP packet comes back equal over all small sizes and some large ones") {
  const Key key(fresh_number());
  Pair pair(any_provider(), esp_sa(key));
  for (std::uint32_t size = 0; size <= 1400; size += size < 130 ? 1 : 127) {
    const Bytes frame = ipv4_frame(size);
    Buffer buffer(frame);
    REQUIRE(run(pair.a, buffer, {{pair.out, LC_ESP_ENCAPSULATE}}) == "ok");
    REQUIRE(buffer.view.length > frame.size());
    REQUIRE(run(pair.b, buffer, {{pair.in, LC_ESP_DECAPSULATE}}) == "ok");
    REQUIRE(buffer.bytes() == frame);
    lc_service(pair.a);
  }
}

TEST_CASE("a MACsec frame comes back equal for every cipher suite") {
  const Key key(fresh_number());
  lc_macsec_sa sa = macsec_sa(key);
  sa.suite = static_cast<std::uint8_t>(GENERATE(0, 1, 2, 3));
  if (sa.suite == LC_GCM_AES_128 || sa.suite == LC_GCM_AES_XPN_128) sa.key_size = 16;
  if (sa.suite <= LC_GCM_AES_256) sa.salt_size = sa.ssci = 0;
  Pair pair(any_provider(), sa);
  for (std::uint32_t size = 0; size <= 300; ++size) {
    const Bytes frame = ipv4_frame(size);
    Buffer buffer(frame);
    REQUIRE(run(pair.a, buffer, {{pair.out, LC_MACSEC_PROTECT}}) == "ok");
    REQUIRE(buffer.view.length >= frame.size() + 32);
    REQUIRE(run(pair.b, buffer, {{pair.in, LC_MACSEC_VALIDATE}}) == "ok");
    REQUIRE(std::equal(frame.begin(), frame.end(), buffer.view.data));
  }
}

TEST_CASE("both layers in one trip, in place and into another buffer") {
  const Key esp_key(fresh_number());
  const Key macsec_key(fresh_number());
  const std::uint32_t provider = any_provider();
  Pair esp(provider, esp_sa(esp_key));
  lc_sa tx{};
  lc_sa rx{};
  lc_macsec_sa macsec = macsec_sa(macsec_key);
  REQUIRE(lc_macsec_sa_add(esp.a, &macsec, nullptr, &tx, nullptr, 0) == LC_OK);
  macsec.direction = LC_INGRESS;
  REQUIRE(lc_macsec_sa_add(esp.b, &macsec, nullptr, &rx, nullptr, 0) == LC_OK);

  const Bytes frame = ipv4_frame(333);
  Buffer buffer(frame);
  REQUIRE(run(esp.a, buffer, {{esp.out, LC_ESP_ENCAPSULATE}, {tx, LC_MACSEC_PROTECT}}) == "ok");
  const Bytes wire = buffer.bytes();
  REQUIRE(wire[12] == 0x88);
  REQUIRE(wire[13] == 0xe5);

  std::vector<std::uint8_t> memory(1000);
  lc_job job;
  lc_job_init(&job);
  job.source = buffer.view;
  job.destination = {memory.data() + 100, 0, 100, 900};
  job.stages[0] = {rx, LC_MACSEC_VALIDATE};
  job.stages[1] = {esp.in, LC_ESP_DECAPSULATE};
  job.user = 77;
  lc_job* list = &job;
  REQUIRE(lc_submit(esp.b, 0, &list, 1) == 1);
  REQUIRE(std::string(lc_verdict_name(job.verdict)) == "ok");
  REQUIRE(Bytes(job.destination.data, job.destination.data + job.destination.length) == frame);
  REQUIRE(buffer.bytes() == wire);  // the source stays as it was
  REQUIRE(job.user == 77);
  REQUIRE(job.verdict_stage == 1);
}

TEST_CASE("a packet with any byte changed is dropped, its payload is zero, and it is counted once") {
  const Key key(fresh_number());
  Pair pair(any_provider(), esp_sa(key));
  Buffer sealed(ipv4_frame(64));
  REQUIRE(run(pair.a, sealed, {{pair.out, LC_ESP_ENCAPSULATE}}) == "ok");
  const Bytes wire = sealed.bytes();
  const std::uint32_t bad_icv = lc_verdict_find("esp_bad_icv");
  std::uint64_t bad = 0;
  // SPI, number, IV, cipher text, ICV: everything behind the outer header.
  for (std::size_t at = 34; at < wire.size(); ++at) {
    Bytes changed = wire;
    changed[at] ^= 0x40;
    Buffer buffer(changed);
    const std::string verdict = run(pair.b, buffer, {{pair.in, LC_ESP_DECAPSULATE}});
    INFO("byte " << at << " " << verdict);
    REQUIRE(lc_verdict_is_drop(lc_verdict_find(verdict.c_str())) == 1);
    if (verdict == "esp_bad_icv") {
      ++bad;
      REQUIRE(std::all_of(buffer.view.data + 14 + 20 + 16, buffer.view.data + wire.size() - 16,
                          [](std::uint8_t b) { return b == 0; }));
    }
  }
  REQUIRE(bad >= wire.size() - 34 - 8);
  REQUIRE(lc_verdict_total(pair.b, bad_icv) == bad);
  lc_sa_state state;
  state.size = sizeof state;
  REQUIRE(lc_sa_read(pair.b, pair.in, &state) == LC_OK);
  REQUIRE(state.bad_icv == bad);
  REQUIRE(state.packets == 0);
  REQUIRE(state.window_top == 0);
  // The packet itself still passes, once.
  Buffer good(wire);
  REQUIRE(run(pair.b, good, {{pair.in, LC_ESP_DECAPSULATE}}) == "ok");
  Buffer again(wire);
  REQUIRE(run(pair.b, again, {{pair.in, LC_ESP_DECAPSULATE}}) == "replay_duplicate");
  REQUIRE(lc_sa_read(pair.b, pair.in, &state) == LC_OK);
  REQUIRE(state.packets == 1);
  REQUIRE(state.duplicate == 1);
}

TEST_CASE("jobs that make no sense are done at once, and those around them go on") {
  const Key key(fresh_number());
  Pair pair(LC_PROVIDER_AUTOMATIC, esp_sa(key));
  const Bytes frame = ipv4_frame(40);
  std::vector<Bytes> memory(5, Bytes(600));
  std::vector<lc_job> jobs(5);
  std::vector<lc_job*> list;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    std::copy(frame.begin(), frame.end(), memory[i].begin() + 200);
    lc_job_init(&jobs[i]);
    jobs[i].source = {memory[i].data() + 200, static_cast<std::uint32_t>(frame.size()), 200, 300};
    jobs[i].stages[0] = {pair.out, LC_ESP_ENCAPSULATE};
    list.push_back(&jobs[i]);
  }
  SECTION("no memory") {
    jobs[2].source.data = nullptr;
  }
  SECTION("size field of another struct") {
    jobs[2].size = 12;
  }
  SECTION("no operation") {
    jobs[2].stages[0].operation = LC_OPERATION_NONE;
  }
  SECTION("unknown operation") {
    jobs[2].stages[0].operation = 99;
  }
  SECTION("unknown second operation") {
    jobs[2].stages[1].operation = 99;
  }
  SECTION("source and destination overlap") {
    jobs[2].destination = {jobs[2].source.data + 8, 0, 0, 100};
  }
  REQUIRE(lc_submit(pair.a, 0, list.data(), 5) == 5);
  for (std::size_t i = 0; i < jobs.size(); ++i)
    REQUIRE(std::string(lc_verdict_name(jobs[i].verdict)) == (i == 2 ? "unsupported" : "ok"));
  REQUIRE(lc_verdict_total(pair.a, LC_VERDICT_OK) == 4);
}

TEST_CASE("a NULL among the jobs ends the burst before it") {
  const Key key(fresh_number());
  Pair pair(LC_PROVIDER_AUTOMATIC, esp_sa(key));
  Buffer buffer(ipv4_frame(40));
  lc_job job;
  lc_job_init(&job);
  job.source = buffer.view;
  job.stages[0] = {pair.out, LC_ESP_ENCAPSULATE};
  lc_job* list[] = {&job, nullptr, &job};
  REQUIRE(lc_submit(pair.a, 0, list, 3) == 1);
}

TEST_CASE("an id that outlived its SA is recognised and a removed SA's slot serves the next") {
  const Key first(fresh_number());
  const Key second(fresh_number());
  Context context;
  lc_esp_sa sa = esp_sa(first);
  lc_sa old{};
  REQUIRE(lc_esp_sa_add(context, &sa, nullptr, &old, nullptr, 0) == LC_OK);
  REQUIRE(lc_sa_remove(context, old, nullptr, 0) == LC_OK);
  REQUIRE(lc_sa_remove(context, old, nullptr, 0) == LC_NOT_FOUND);
  sa = esp_sa(second);
  lc_sa next{};
  REQUIRE(lc_esp_sa_add(context, &sa, nullptr, &next, nullptr, 0) == LC_OK);
  REQUIRE((next.index != old.index || next.generation != old.generation));
  Buffer buffer(ipv4_frame(40));
  REQUIRE(run(context, buffer, {{old, LC_ESP_ENCAPSULATE}}) == "stale_sa");
  REQUIRE(run(context, buffer, {{{9999, 1}, LC_ESP_ENCAPSULATE}}) == "stale_sa");
  REQUIRE(run(context, buffer, {{next, LC_ESP_DECAPSULATE}}) == "wrong_operation");
  REQUIRE(run(context, buffer, {{next, LC_MACSEC_PROTECT}}) == "wrong_operation");
  REQUIRE(run(context, buffer, {{next, LC_ESP_ENCAPSULATE}}) == "ok");
  lc_sa list[2];
  REQUIRE(lc_sa_list(context, list, 2) == 1);
  REQUIRE(list[0].index == next.index);
  REQUIRE(list[0].generation == next.generation);
}

TEST_CASE("queues are counted together and each takes its own jobs") {
  const Key key(fresh_number());
  const Key other(fresh_number());
  Context context(LC_PROVIDER_AUTOMATIC, nullptr, 2);
  REQUIRE(context.status == LC_OK);
  lc_sa one{};
  lc_sa two{};
  const lc_esp_sa first = esp_sa(key);
  const lc_esp_sa second = esp_sa(other);
  REQUIRE(lc_esp_sa_add(context, &first, nullptr, &one, nullptr, 0) == LC_OK);
  REQUIRE(lc_esp_sa_add(context, &second, nullptr, &two, nullptr, 0) == LC_OK);
  for (int i = 0; i < 3; ++i) {
    Buffer a(ipv4_frame(40));
    Buffer b(ipv4_frame(40));
    REQUIRE(run(context, a, {{one, LC_ESP_ENCAPSULATE}}, 0) == "ok");
    REQUIRE(run(context, b, {{two, LC_ESP_ENCAPSULATE}}, 1) == "ok");
  }
  REQUIRE(lc_verdict_total(context, LC_VERDICT_OK) == 6);
}

TEST_CASE("leases are renewed by lc_service and numbers go on without a gap in use") {
  const Key key(fresh_number());
  Pair pair(LC_PROVIDER_AUTOMATIC, esp_sa(key));
  lc_sa_state state;
  state.size = sizeof state;
  std::uint64_t last = 0;
  for (int i = 0; i < 3000; ++i) {
    Buffer buffer(ipv4_frame(10));
    REQUIRE(run(pair.a, buffer, {{pair.out, LC_ESP_ENCAPSULATE}}) == "ok");
    if (i % 16 == 0) REQUIRE(lc_service(pair.a) == LC_OK);
    REQUIRE(lc_sa_read(pair.a, pair.out, &state) == LC_OK);
    REQUIRE(state.next_number > last);
    REQUIRE(state.lease_end >= state.next_number);
    last = state.next_number;
  }
  REQUIRE(state.packets == 3000);
}

TEST_CASE("a hard lifetime stops the SA and a message says so") {
  const Key key(fresh_number());
  lc_esp_sa sa = esp_sa(key);
  sa.soft.packets = 3;
  sa.hard.packets = 5;
  Context context;
  lc_sa id{};
  REQUIRE(lc_esp_sa_add(context, &sa, "short-lived", &id, nullptr, 0) == LC_OK);
  int sent = 0;
  for (int i = 0; i < 8; ++i) {
    Buffer buffer(ipv4_frame(40));
    if (run(context, buffer, {{id, LC_ESP_ENCAPSULATE}}) == "ok") ++sent;
  }
  REQUIRE(sent == 5);
  REQUIRE(lc_verdict_total(context, lc_verdict_find("hard_expired")) == 3);
  REQUIRE(lc_service(context) == LC_OK);
  std::array<char, 256> text{};
  std::string all;
  while (lc_take_message(context, text.data(), text.size()) == LC_OK) all += std::string(text.data()) + "\n";
  INFO(all);
  REQUIRE(all.find("short-lived") != std::string::npos);
}
