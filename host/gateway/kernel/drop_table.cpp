#include "host/gateway/kernel/drop_table.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "host/gateway/kernel/netlink.hpp"

namespace linecrypt::gateway::kernel {

namespace {

// Before every other chain of the netdev family.
constexpr std::int32_t chain_priority = -500;
constexpr std::uint8_t family = NFPROTO_NETDEV;

// A batch of nf_tables messages between the two marks that make it one transaction.
class Batch {
 public:
  Batch() { mark(NFNL_MSG_BATCH_BEGIN); }

  nlmsghdr* add(std::uint16_t type, std::uint16_t flags) {
    nlmsghdr* header = put(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8U | type),
                           static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags), family, 0);
    ++answers_;
    return header;
  }
  // After a message's attributes are in.
  void close(const nlmsghdr* header) { used_ += header->nlmsg_len; }
  // 0 or errno.
  int send() {
    mark(NFNL_MSG_BATCH_END);
    auto netlink = Netlink::open(NETLINK_NETFILTER);
    if (!netlink) return EPROTONOSUPPORT;
    return netlink->batch({buffer_.data(), used_}, answers_);
  }

 private:
  void mark(std::uint16_t type) { close(put(type, NLM_F_REQUEST, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)); }
  nlmsghdr* put(std::uint16_t type, std::uint16_t flags, std::uint8_t nf_family, std::uint16_t resource) {
    nlmsghdr* header = mnl_nlmsg_put_header(buffer_.data() + used_);
    header->nlmsg_type = type;
    header->nlmsg_flags = flags;
    header->nlmsg_seq = ++sequence_;
    auto* extra = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
    extra->nfgen_family = nf_family;
    extra->version = NFNETLINK_V0;
    extra->res_id = htons(resource);
    return header;
  }

  std::vector<char> buffer_ = std::vector<char>(4096);
  std::size_t used_ = 0;
  std::uint32_t sequence_ = 0;
  std::uint32_t answers_ = 0;
};

void add_table(Batch& batch, const std::string& name) {
  nlmsghdr* header = batch.add(NFT_MSG_NEWTABLE, NLM_F_CREATE);
  mnl_attr_put_strz(header, NFTA_TABLE_NAME, name.c_str());
  batch.close(header);
}

void delete_table(Batch& batch, const std::string& name) {
  nlmsghdr* header = batch.add(NFT_MSG_DELTABLE, 0);
  mnl_attr_put_strz(header, NFTA_TABLE_NAME, name.c_str());
  batch.close(header);
}

void add_chain(Batch& batch, const std::string& table, const char* chain, std::uint32_t hook,
               const std::string& netdev) {
  nlmsghdr* header = batch.add(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, table.c_str());
  mnl_attr_put_strz(header, NFTA_CHAIN_NAME, chain);
  nlattr* nest = mnl_attr_nest_start(header, NFTA_CHAIN_HOOK);
  mnl_attr_put_u32(header, NFTA_HOOK_HOOKNUM, htonl(hook));
  mnl_attr_put_u32(header, NFTA_HOOK_PRIORITY, htonl(static_cast<std::uint32_t>(chain_priority)));
  mnl_attr_put_strz(header, NFTA_HOOK_DEV, netdev.c_str());
  mnl_attr_nest_end(header, nest);
  mnl_attr_put_strz(header, NFTA_CHAIN_TYPE, "filter");
  mnl_attr_put_u32(header, NFTA_CHAIN_POLICY, htonl(NF_DROP));
  batch.close(header);
}

// One expression of a rule: its name and its own attributes, which `fill` puts in.
template <typename Fill>
void add_expression(nlmsghdr* header, const char* name, Fill fill) {
  nlattr* element = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
  mnl_attr_put_strz(header, NFTA_EXPR_NAME, name);
  nlattr* data = mnl_attr_nest_start(header, NFTA_EXPR_DATA);
  fill();
  mnl_attr_nest_end(header, data);
  mnl_attr_nest_end(header, element);
}

// meta mark == `mark` accept
void add_mark_rule(Batch& batch, const std::string& table, const char* chain, std::uint32_t mark) {
  nlmsghdr* header = batch.add(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
  mnl_attr_put_strz(header, NFTA_RULE_TABLE, table.c_str());
  mnl_attr_put_strz(header, NFTA_RULE_CHAIN, chain);
  nlattr* expressions = mnl_attr_nest_start(header, NFTA_RULE_EXPRESSIONS);
  add_expression(header, "meta", [&] {
    mnl_attr_put_u32(header, NFTA_META_DREG, htonl(NFT_REG_1));
    mnl_attr_put_u32(header, NFTA_META_KEY, htonl(NFT_META_MARK));
  });
  add_expression(header, "cmp", [&] {
    mnl_attr_put_u32(header, NFTA_CMP_SREG, htonl(NFT_REG_1));
    mnl_attr_put_u32(header, NFTA_CMP_OP, htonl(NFT_CMP_EQ));
    nlattr* value = mnl_attr_nest_start(header, NFTA_CMP_DATA);
    mnl_attr_put(header, NFTA_DATA_VALUE, sizeof mark, &mark);  // a register holds it in the host's order
    mnl_attr_nest_end(header, value);
  });
  add_expression(header, "immediate", [&] {
    mnl_attr_put_u32(header, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
    nlattr* value = mnl_attr_nest_start(header, NFTA_IMMEDIATE_DATA);
    nlattr* verdict = mnl_attr_nest_start(header, NFTA_DATA_VERDICT);
    mnl_attr_put_u32(header, NFTA_VERDICT_CODE, htonl(NF_ACCEPT));
    mnl_attr_nest_end(header, verdict);
    mnl_attr_nest_end(header, value);
  });
  mnl_attr_nest_end(header, expressions);
  batch.close(header);
}

// Errors by which a kernel says that it has no nf_tables, no netdev family or no such hook.
bool means_unavailable(int error) {
  return error == EPROTONOSUPPORT || error == EAFNOSUPPORT || error == EOPNOTSUPP || error == ENOENT;
}

// `accepted`: the mark that passes, if any does.
Result<DropState> add_hook(const std::string& netdev, const char* chain, std::uint32_t hook,
                           std::optional<std::uint32_t> accepted) {
  Batch batch;
  add_chain(batch, drop_table_name(netdev), chain, hook, netdev);
  if (accepted) add_mark_rule(batch, drop_table_name(netdev), chain, *accepted);
  const int error = batch.send();
  if (error == 0) return DropState::present;
  if (means_unavailable(error)) return DropState::unavailable;
  return Error{fmt::format("netdev {}: nftables {} drop: {}", netdev, chain, std::strerror(error))};
}

// One chain of a dump, as far as we compare it.
struct Chain {
  std::string table;
  std::string netdev;
  std::uint32_t hook = ~0U;
  std::uint32_t policy = NF_ACCEPT;
};

void parse_hook(const nlattr* nest, Chain& chain) {
  const auto table = nested<NFTA_HOOK_MAX + 1>(nest);
  if (table[NFTA_HOOK_HOOKNUM] != nullptr) chain.hook = ntohl(mnl_attr_get_u32(table[NFTA_HOOK_HOOKNUM]));
  if (table[NFTA_HOOK_DEV] != nullptr) chain.netdev = mnl_attr_get_str(table[NFTA_HOOK_DEV]);
  // A chain of one device may be listed by a nest of devices instead.
  if (chain.netdev.empty() && table[NFTA_HOOK_DEVS] != nullptr)
    if (const nlattr* name = nested<NFTA_DEVICE_MAX + 1>(table[NFTA_HOOK_DEVS])[NFTA_DEVICE_NAME]; name != nullptr)
      chain.netdev = mnl_attr_get_str(name);
}

}  // namespace

std::string drop_table_name(const std::string& netdev) {
  return "linecrypt-" + netdev;
}

Result<DropTable> install_drop_table(const std::string& netdev, std::uint32_t mark) {
  if (auto removed = remove_drop_table(netdev); !removed) return removed.error();
  Batch batch;
  add_table(batch, drop_table_name(netdev));
  if (const int error = batch.send(); error != 0) {
    if (means_unavailable(error)) return DropTable{DropState::unavailable, DropState::unavailable};
    return Error{
        fmt::format("netdev {}: nftables table {}: {}", netdev, drop_table_name(netdev), std::strerror(error))};
  }
  const auto ingress = add_hook(netdev, "ingress", NF_NETDEV_INGRESS, std::nullopt);
  const auto egress = add_hook(netdev, "egress", NF_NETDEV_EGRESS, mark);
  if (!ingress || !egress) {
    static_cast<void>(remove_drop_table(netdev));
    return ingress ? egress.error() : ingress.error();
  }
  return DropTable{*ingress, *egress};
}

Result<void> remove_drop_table(const std::string& netdev) {
  Batch batch;
  delete_table(batch, drop_table_name(netdev));
  const int error = batch.send();
  if (error == 0 || means_unavailable(error)) return {};
  return Error{
      fmt::format("netdev {}: removing nftables table {}: {}", netdev, drop_table_name(netdev), std::strerror(error))};
}

Result<DropTable> read_drop_table(const std::string& netdev) {
  DropTable table;
  auto netlink = Netlink::open(NETLINK_NETFILTER);
  if (!netlink) return DropTable{DropState::unavailable, DropState::unavailable};
  NetlinkRequest request(NFNL_SUBSYS_NFTABLES << 8U | NFT_MSG_GETCHAIN, 0);
  request.extra<nfgenmsg>().nfgen_family = family;
  const std::string name = drop_table_name(netdev);
  const int error = netlink->dump(request, [&](const nlmsghdr& message) {
    const auto found = attributes<NFTA_CHAIN_MAX + 1>(message, sizeof(nfgenmsg));
    if (found[NFTA_CHAIN_TABLE] == nullptr || found[NFTA_CHAIN_HOOK] == nullptr) return;
    Chain chain;
    chain.table = mnl_attr_get_str(found[NFTA_CHAIN_TABLE]);
    if (found[NFTA_CHAIN_POLICY] != nullptr) chain.policy = ntohl(mnl_attr_get_u32(found[NFTA_CHAIN_POLICY]));
    parse_hook(found[NFTA_CHAIN_HOOK], chain);
    if (chain.table != name || chain.netdev != netdev || chain.policy != NF_DROP) return;
    if (chain.hook == NF_NETDEV_INGRESS) table.ingress = DropState::present;
    if (chain.hook == NF_NETDEV_EGRESS) table.egress = DropState::present;
  });
  if (error != 0 && means_unavailable(error)) return DropTable{DropState::unavailable, DropState::unavailable};
  if (error != 0) return Error{fmt::format("listing nftables chains: {}", std::strerror(error))};
  return table;
}

}  // namespace linecrypt::gateway::kernel
