// ESP egress: clear IP packet -> ESP (RFC 4303 3.3). See host/software/train.hpp for the shape.
#pragma once

#include "host/software/train.hpp"

namespace linecrypt::software::esp {

// The train's slot holds a live egress SA of ESP.
void prepare_encapsulate(Train& train, BurstStage& stage) noexcept;
void finish_encapsulate(const Train& train, BurstStage& stage) noexcept;

}  // namespace linecrypt::software::esp
