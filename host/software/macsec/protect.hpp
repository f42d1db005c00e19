// MACsec egress: Ethernet frame -> frame with SecTAG and ICV (IEEE 802.1AE-2018 10.5). See host/software/train.hpp for
// the shape.
#pragma once

#include "host/software/train.hpp"

namespace linecrypt::software::macsec {

// The train's slot holds a live egress SA of MACsec.
void prepare_protect(Train& train, BurstStage& stage) noexcept;
void finish_protect(const Train& train, BurstStage& stage) noexcept;

}  // namespace linecrypt::software::macsec
