-- SPDX-License-Identifier: Apache-2.0
-- itch50.lua - shows ITCH 5.0 messages in Wireshark and tshark, inside of SoupBinTCP and MoldUDP64:
--
--    tshark -X lua_script:itch50.lua -d tcp.port==9001,soupbintcp -r session.pcapng
--    tshark -X lua_script:itch50.lua -d udp.port==26477,moldudp64 -r md.pcapng \
--           -Y 'itch50.symbol == "AAPL"' -T fields -e itch50.type -e itch50.px_e4
--
-- (In Wireshark: copy it into the folder of personal Lua plugins, and use "Decode As...".) It is a
-- post-dissector: it takes the messages that Wireshark's own dissectors have found, those of
-- SoupBinTCP's sequenced packets and those of MoldUDP64's message blocks, and adds a tree for each.
--
-- Numbers are shown as they are in the message, prices with their decimal point behind. The names
-- are those of bus/include/tickbus/msg/itch_types.h, and so is the table below: a test compares
-- the two, line by line.
-- Source: "Nasdaq TotalView-ITCH 5.0", sections 1.1 to 1.8.

local itch = Proto("itch50", "NASDAQ TotalView-ITCH 5.0")

local messages = {} -- by letter: {bytes, name, fields}
local protofields = {} -- by name

local function declare(name, is_number)
    if not protofields[name] then
        local make = is_number and ProtoField.uint64 or ProtoField.string
        protofields[name] = make("itch50." .. name, name)
    end
    return protofields[name]
end

local function message(letter, bytes, name)
    messages[letter] = { bytes = bytes, name = name, fields = {} }
end

local numbers =
    { NUMBER = true, ORDER_REF = true, NEW_REF = true, QTY = true, PX = true, MATCH = true }

local function field(letter, name, at, bytes, kind)
    local list = messages[letter].fields
    list[#list + 1] = {
        name = name,
        at = at,
        bytes = bytes,
        number = numbers[kind],
        proto = declare(name, numbers[kind]),
        decimals = tonumber(name:match("_e(%d)$")),
    }
end

-- letter, bytes, name; letter, name, offset in the message, bytes, kind
message("S", 12, "System Event")
field("S", "event_code", 11, 1, "CHARS")

message("R", 39, "Stock Directory")
field("R", "symbol", 11, 8, "SYMBOL")
field("R", "market_category", 19, 1, "CHARS")
field("R", "financial_status", 20, 1, "CHARS")
field("R", "round_lot_size", 21, 4, "NUMBER")
field("R", "round_lots_only", 25, 1, "CHARS")
field("R", "issue_classification", 26, 1, "CHARS")
field("R", "issue_sub_type", 27, 2, "CHARS")
field("R", "authenticity", 29, 1, "CHARS")
field("R", "short_sale_threshold", 30, 1, "CHARS")
field("R", "ipo_flag", 31, 1, "CHARS")
field("R", "luld_tier", 32, 1, "CHARS")
field("R", "etp_flag", 33, 1, "CHARS")
field("R", "etp_leverage_factor", 34, 4, "NUMBER")
field("R", "inverse_indicator", 38, 1, "CHARS")

message("H", 25, "Stock Trading Action")
field("H", "symbol", 11, 8, "SYMBOL")
field("H", "trading_state", 19, 1, "CHARS")
field("H", "reserved", 20, 1, "CHARS")
field("H", "reason", 21, 4, "CHARS")

message("Y", 20, "Reg SHO Restriction")
field("Y", "symbol", 11, 8, "SYMBOL")
field("Y", "reg_sho_action", 19, 1, "CHARS")

message("L", 26, "Market Participant Position")
field("L", "mpid", 11, 4, "CHARS")
field("L", "symbol", 15, 8, "SYMBOL")
field("L", "primary_market_maker", 23, 1, "CHARS")
field("L", "market_maker_mode", 24, 1, "CHARS")
field("L", "participant_state", 25, 1, "CHARS")

message("V", 35, "MWCB Decline Level")
field("V", "level1_e8", 11, 8, "NUMBER")
field("V", "level2_e8", 19, 8, "NUMBER")
field("V", "level3_e8", 27, 8, "NUMBER")

message("W", 12, "MWCB Status")
field("W", "breached_level", 11, 1, "CHARS")

message("K", 28, "Quoting Period Update")
field("K", "symbol", 11, 8, "SYMBOL")
field("K", "ipo_quotation_release_s", 19, 4, "NUMBER")
field("K", "ipo_quotation_release_qualifier", 23, 1, "CHARS")
field("K", "ipo_px_e4", 24, 4, "NUMBER")

message("J", 35, "LULD Auction Collar")
field("J", "symbol", 11, 8, "SYMBOL")
field("J", "reference_px_e4", 19, 4, "NUMBER")
field("J", "upper_px_e4", 23, 4, "NUMBER")
field("J", "lower_px_e4", 27, 4, "NUMBER")
field("J", "extension", 31, 4, "NUMBER")

message("h", 21, "Operational Halt")
field("h", "symbol", 11, 8, "SYMBOL")
field("h", "market_code", 19, 1, "CHARS")
field("h", "operational_halt_action", 20, 1, "CHARS")

message("A", 36, "Add Order")
field("A", "order_ref", 11, 8, "ORDER_REF")
field("A", "side", 19, 1, "SIDE")
field("A", "qty", 20, 4, "QTY")
field("A", "symbol", 24, 8, "SYMBOL")
field("A", "px_e4", 32, 4, "PX")

message("F", 40, "Add Order with MPID")
field("F", "order_ref", 11, 8, "ORDER_REF")
field("F", "side", 19, 1, "SIDE")
field("F", "qty", 20, 4, "QTY")
field("F", "symbol", 24, 8, "SYMBOL")
field("F", "px_e4", 32, 4, "PX")
field("F", "mpid", 36, 4, "CHARS")

message("E", 31, "Order Executed")
field("E", "order_ref", 11, 8, "ORDER_REF")
field("E", "qty", 19, 4, "QTY")
field("E", "match", 23, 8, "MATCH")

message("C", 36, "Order Executed with Price")
field("C", "order_ref", 11, 8, "ORDER_REF")
field("C", "qty", 19, 4, "QTY")
field("C", "px_e4", 32, 4, "PX")
field("C", "match", 23, 8, "MATCH")
field("C", "printable", 31, 1, "CHAR")

message("X", 23, "Order Cancel")
field("X", "order_ref", 11, 8, "ORDER_REF")
field("X", "qty", 19, 4, "QTY")

message("D", 19, "Order Delete")
field("D", "order_ref", 11, 8, "ORDER_REF")

message("U", 35, "Order Replace")
field("U", "order_ref", 11, 8, "ORDER_REF")
field("U", "new_ref", 19, 8, "NEW_REF")
field("U", "qty", 27, 4, "QTY")
field("U", "px_e4", 31, 4, "PX")

message("P", 44, "Trade")
field("P", "order_ref", 11, 8, "ORDER_REF")
field("P", "side", 19, 1, "SIDE")
field("P", "qty", 20, 4, "QTY")
field("P", "symbol", 24, 8, "SYMBOL")
field("P", "px_e4", 32, 4, "PX")
field("P", "match", 36, 8, "MATCH")

message("Q", 40, "Cross Trade")
field("Q", "qty", 11, 8, "QTY")
field("Q", "symbol", 19, 8, "SYMBOL")
field("Q", "px_e4", 27, 4, "PX")
field("Q", "match", 31, 8, "MATCH")
field("Q", "cross_type", 39, 1, "CHAR")

message("B", 19, "Broken Trade")
field("B", "match", 11, 8, "MATCH")

message("I", 50, "Net Order Imbalance Indicator")
field("I", "paired_shares", 11, 8, "NUMBER")
field("I", "imbalance_shares", 19, 8, "NUMBER")
field("I", "imbalance_direction", 27, 1, "CHARS")
field("I", "symbol", 28, 8, "SYMBOL")
field("I", "far_px_e4", 36, 4, "NUMBER")
field("I", "near_px_e4", 40, 4, "NUMBER")
field("I", "reference_px_e4", 44, 4, "NUMBER")
field("I", "cross_type", 48, 1, "CHARS")
field("I", "price_variation", 49, 1, "CHARS")

message("N", 20, "Retail Price Improvement Indicator")
field("N", "symbol", 11, 8, "SYMBOL")
field("N", "interest_flag", 19, 1, "CHARS")

message("O", 48, "Direct Listing with Capital Raise")
field("O", "symbol", 11, 8, "SYMBOL")
field("O", "open_eligibility", 19, 1, "CHARS")
field("O", "min_px_e4", 20, 4, "NUMBER")
field("O", "max_px_e4", 24, 4, "NUMBER")
field("O", "near_execution_px_e4", 28, 4, "NUMBER")
field("O", "near_execution_ns", 32, 8, "NUMBER")
field("O", "lower_collar_px_e4", 40, 4, "NUMBER")
field("O", "upper_collar_px_e4", 44, 4, "NUMBER")

local header = {
    type = ProtoField.string("itch50.type", "type"),
    name = ProtoField.string("itch50.message", "message"),
    locate = ProtoField.uint16("itch50.stock_locate", "stock_locate"),
    tracking = ProtoField.uint16("itch50.tracking_number", "tracking_number"),
    timestamp = ProtoField.uint64("itch50.timestamp_ns", "timestamp_ns"),
    unknown = ProtoField.bytes("itch50.unknown", "unknown"),
}
local wrong_length = ProtoExpert.new(
    "itch50.wrong_length",
    "ITCH 5.0 has another length for this type",
    expert.group.MALFORMED,
    expert.severity.ERROR
)

for _, proto in pairs(header) do
    itch.fields[#itch.fields + 1] = proto
end
for _, proto in pairs(protofields) do
    itch.fields[#itch.fields + 1] = proto
end
itch.experts = { wrong_length }

local HEADER_BYTES = 11

-- An unsigned number with so many decimals: 3208000, 4 is "320.8000".
local function with_decimals(number, decimals)
    local digits = tostring(number)
    digits = string.rep("0", decimals + 1 - #digits) .. digits
    return digits:sub(1, -decimals - 1) .. "." .. digits:sub(-decimals)
end

-- Nanoseconds since midnight: "09:30:00.000000001".
local function time_of_day(ns)
    local seconds = (ns / 1000000000):tonumber()
    local rest = (ns % 1000000000):tonumber()
    local minutes = math.floor(seconds / 60)
    return string.format(
        "%02d:%02d:%02d.%09d",
        math.floor(minutes / 60),
        minutes % 60,
        seconds % 60,
        rest
    )
end

local function add_field(tree, f, range)
    local part = range:range(f.at, f.bytes)
    if not f.number then -- without its padding, or no filter would find "AAPL"
        tree:add(f.proto, part, (part:string():gsub(" +$", "")))
        return
    end
    local number = f.bytes == 8 and part:uint64() or UInt64.new(part:uint())
    local item = tree:add(f.proto, part, number)
    if f.decimals then
        item:append_text(" (" .. with_decimals(number, f.decimals) .. ")")
    end
end

local function add_message(root, range)
    local letter = range:range(0, 1):string()
    local known = messages[letter]
    local tree = root:add(itch, range)
    tree:add(header.type, range:range(0, 1))
    if range:len() >= HEADER_BYTES then
        local high = UInt64.new(range:range(5, 2):uint())
        local ns = high * UInt64.new(0, 1) + UInt64.new(range:range(7, 4):uint())
        tree:add(header.locate, range:range(1, 2))
        tree:add(header.tracking, range:range(3, 2))
        local item = tree:add(header.timestamp, range:range(5, 6), ns)
        item:append_text(" (" .. time_of_day(ns) .. ")")
    end
    if not known then
        tree:append_text(", unknown type")
        tree:add(header.unknown, range)
    elseif known.bytes ~= range:len() then
        tree:append_text(", " .. known.name)
        tree:add_proto_expert_info(wrong_length)
    else
        tree:append_text(", " .. known.name)
        tree:add(header.name, range:range(0, 1), known.name)
        for _, f in ipairs(known.fields) do
            add_field(tree, f, range)
        end
    end
    return letter
end

local soup_type = Field.new("soupbintcp.packet_type")
local soup_message = Field.new("soupbintcp.message")
local mold_message = Field.new("moldudp64.msgdata")

-- Where the messages of sequenced packets are. Those of unsequenced ones are of another protocol.
local function sequenced()
    local places = {}
    for _, info in ipairs({ soup_type() }) do
        if info.range:range(0, 1):string() == "S" then
            places[info.offset + 1] = true
        end
    end
    return places
end

local function show(root, infos, wanted)
    local letters = ""
    for _, info in ipairs(infos) do
        if info.len > 0 and (not wanted or wanted[info.offset]) then
            letters = letters .. add_message(root, info.range)
        end
    end
    return letters
end

function itch.dissector(_, pinfo, root)
    local soup = { soup_message() }
    local letters = ""
    if #soup > 0 then
        letters = show(root, soup, sequenced())
    end
    letters = letters .. show(root, { mold_message() })
    if letters ~= "" then
        pinfo.cols.info:append(" ITCH " .. letters)
    end
end

register_postdissector(itch, true)
