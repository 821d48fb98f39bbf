import { FRAME } from "#transport/frames.js";
import { CID, HANDSHAKE_SIZE, VERSION } from "#transport/handshakePackets.js";
import { DATA_HEADER } from "#transport/packet.js";
import { FRAME_TABLE, type FrameRow } from "./frameTable.js";

/** A Wireshark dissector in Lua for the port `port`: headers of everything, and frames where a payload was decrypted. */
export function dissectorText(port: number): string {
  return `-- Handfast, version ${VERSION.toString(16)}. Generated from the frame table; do not edit.
local hf = Proto("handfast", "Handfast channel")
local f = {
  kind = ProtoField.string("handfast.kind", "Kind"),
  version = ProtoField.uint32("handfast.version", "Version", base.HEX),
  epoch = ProtoField.uint8("handfast.epoch", "Epoch modulo 4"),
  dcid = ProtoField.bytes("handfast.dcid", "Destination ID"),
  scid = ProtoField.bytes("handfast.scid", "Source ID"),
  mac1 = ProtoField.bytes("handfast.mac1", "mac1"),
  mac2 = ProtoField.bytes("handfast.mac2", "mac2"),
  sealed = ProtoField.bytes("handfast.sealed", "Sealed"),
  frame = ProtoField.string("handfast.frame", "Frame"),
}
hf.fields = { f.kind, f.version, f.epoch, f.dcid, f.scid, f.mac1, f.mac2, f.sealed, f.frame }

-- type, name, fields: "v" a varint, a number that many bytes, "c" a varint and so many bytes, "r" the rest
local frames = {
${FRAME_TABLE.map(row).join("\n")}
}

local function varint(tvb, at)
  local first = tvb(at, 1):uint()
  local length = 2 ^ math.floor(first / 64)
  local value = first % 64
  for i = 1, length - 1 do value = value * 256 + tvb(at + i, 1):uint() end
  return value, at + length
end

local function ack(tvb, at)
  local largest, count, first
  largest, at = varint(tvb, at)
  _, at = varint(tvb, at)
  count, at = varint(tvb, at)
  first, at = varint(tvb, at)
  for _ = 1, 2 * count do _, at = varint(tvb, at) end
  return "ACK largest=" .. largest .. " ranges=" .. (count + 1), at
end

-- Payloads in clear, one a packet, as a key log and tools/decode give them: link type USER0 (147).
local clear = Proto("handfast_frames", "Handfast frames")
function clear.dissector(tvb, pinfo, root)
  pinfo.cols.protocol = "Handfast frames"
  local tree = root:add(clear, tvb())
  local at = 0
  while at < tvb:len() do
    local start, kind = at, nil
    kind, at = varint(tvb, at)
    local text
    local row = frames[kind]
    if kind == ${FRAME.ACK} then
      text, at = ack(tvb, at)
    elseif row == nil then
      text, at = string.format("unknown frame 0x%x", kind), tvb:len()
    else
      text = row.name
      for _, field in ipairs(row) do
        local value
        if field[2] == "v" then
          value, at = varint(tvb, at)
        elseif field[2] == "c" then
          value, at = varint(tvb, at)
          at = at + value
        elseif field[2] == "r" then
          value = tvb:len() - at
          at = tvb:len()
        else
          value = tostring(tvb(at, field[2]):bytes())
          at = at + field[2]
        end
        text = text .. " " .. field[1] .. "=" .. value
      end
    end
    if kind ~= ${FRAME.PADDING} then tree:add(f.frame, tvb(start, at - start), text) end
  end
  return tvb:len()
end

function hf.dissector(tvb, pinfo, tree)
  if tvb:len() < 1 then return 0 end
  local first = tvb(0, 1):uint()
  local form = math.floor(first / 64)
  local bits = math.floor(first / 16) % 4
  pinfo.cols.protocol = "Handfast"
  local t = tree:add(hf, tvb())
  local kind
  if form == 0 then kind = "reserved"
  elseif form == 2 then kind = "pairing"
  elseif form == 1 then kind = "data"
  else kind = ({ [0] = "Init", "Response", "Cookie", "Versions" })[bits] end
  t:add(f.kind, tvb(0, 1), kind)
  pinfo.cols.info = kind
  if form == 1 and tvb:len() >= ${DATA_HEADER} then
    t:add(f.epoch, tvb(0, 1), bits)
    t:add(f.dcid, tvb(1, ${CID}))
    t:add(f.sealed, tvb(${DATA_HEADER}))
  elseif form == 3 and tvb:len() >= ${1 + 4 + CID} then
    t:add(f.version, tvb(1, 4))
    if kind == "Init" then
      t:add(f.scid, tvb(5, ${CID}))
      if tvb:len() == ${HANDSHAKE_SIZE} then
        t:add(f.mac1, tvb(${HANDSHAKE_SIZE - 32}, 16))
        t:add(f.mac2, tvb(${HANDSHAKE_SIZE - 16}, 16))
      end
    else
      t:add(f.dcid, tvb(5, ${CID}))
      if kind == "Response" and tvb:len() >= ${1 + 4 + 2 * CID} then t:add(f.scid, tvb(${5 + CID}, ${CID})) end
    end
  end
  return tvb:len()
end

DissectorTable.get("udp.port"):add(${port}, hf)
DissectorTable.get("wtap_encap"):add(wtap.USER0, clear)
`;
}

function row({ type, name, fields }: FrameRow): string {
  const list = fields.map(([field, kind]) => {
    const letter = typeof kind === "number" ? kind : `"${kind[0]}"`;
    return `{ "${field}", ${letter} }`;
  });
  return `  [${type}] = { name = "${name}"${list.map((field) => `, ${field}`).join("")} },`;
}
