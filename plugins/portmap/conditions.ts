/**
 * Conditions in nft's words, as the configuration gives them: read into expressions. What can be said is what supported() lists;
 * anything else is refused by name instead of being guessed.
 */
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { addressDatum, type Datum, interfaceDatum, markDatum, portDatum } from "../../pkg/nftables/datum.ts";
import type { Expression } from "../../pkg/nftables/expression.ts";
import {
  between,
  type CtState,
  ctState,
  differs,
  equals,
  markIs,
  markIsNot,
  notBetween,
  outside,
  within,
} from "../../pkg/nftables/match.ts";
import * as selectors from "../../pkg/nftables/selector.ts";
import type { Selector } from "../../pkg/nftables/selector.ts";
import { invalidConfig } from "../../spec/errors.ts";
