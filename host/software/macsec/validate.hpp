// MACsec ingress: frame with SecTAG -> Ethernet frame (IEEE 802.1AE-2018 10.6). See host/software/train.hpp for the
// shape.
#pragma once

#include "host/software/train.hpp"

namespace linecrypt::software::macsec {

// The train's slot holds a live ingress SA of MACsec.
void prepare_validate(Train& train, BurstStage& stage) noexcept;
void finish_validate(const Train& train, BurstStage& stage) noexcept;

}  // namespace linecrypt::software::macsec
