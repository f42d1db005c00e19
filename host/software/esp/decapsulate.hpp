// ESP ingress: ESP -> clear IP packet (RFC 4303 3.4). See host/software/train.hpp for the shape.
#pragma once

#include "host/software/train.hpp"

namespace linecrypt::software::esp {

// The train's slot holds a live ingress SA of ESP.
void prepare_decapsulate(Train& train, BurstStage& stage) noexcept;
void finish_decapsulate(const Train& train, BurstStage& stage) noexcept;

}  // namespace linecrypt::software::esp
