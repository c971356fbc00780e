//! `DescribeInstanceTypes`.

use std::borrow::Cow;
use std::sync::Arc;

use headroom_capacity::binding::{Architecture, EbsLimit, TypeShape};
use headroom_capacity::budget::DescribedType;
use headroom_capacity::instance::InstanceLimits;

use super::{Listing, flag, name, need};
use crate::aws::xml::{Malformed, Xml};
use crate::inventory::Offer;

/// Reads a page. A type whose limits EC2 does not tell is left out.
pub(in crate::aws) fn offers(body: &[u8]) -> Listing<(Arc<str>, Offer)> {
    Xml::page(body, "instanceTypeSet", offer)
}

fn offer(xml: &mut Xml<'_>) -> Result<Option<(Arc<str>, Offer)>, Malformed> {
    let (mut type_name, mut hypervisor, mut bare_metal) = (None, Cow::Borrowed(""), false);
    let (mut current, mut burstable, mut local_disks, mut accelerated) = (false, false, false, false);
    let (mut vcpus, mut memory_mib, mut architecture) = (None, None, None);
    let (mut network, mut ebs) = (Network::default(), Ebs::default());
    xml.each(|xml, element| {
        match element {
            "instanceType" => type_name = Some(name(xml)?),
            "hypervisor" => hypervisor = xml.text()?,
            "bareMetal" => bare_metal = flag(xml, "bareMetal")?,
            "currentGeneration" => current = flag(xml, "currentGeneration")?,
            "burstablePerformanceSupported" => burstable = flag(xml, "burstablePerformanceSupported")?,
            "instanceStorageSupported" => local_disks = flag(xml, "instanceStorageSupported")?,
            "vCpuInfo" => vcpus = number(xml, "defaultVCpus")?,
            "memoryInfo" => memory_mib = number(xml, "sizeInMiB")?,
            "processorInfo" => architecture = processor(xml)?,
            "networkInfo" => network = network_info(xml)?,
            "ebsInfo" => ebs = ebs_info(xml)?,
            "gpuInfo" | "neuronInfo" | "inferenceAcceleratorInfo" | "fpgaInfo" | "mediaAcceleratorInfo" => {
                accelerated = true;
                xml.skip()?;
            }
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    let described = DescribedType {
        default_card: network.default_card,
        cards: &network.cards,
        ipv4_per_eni: network.ipv4_per_eni,
        hypervisor: &hypervisor,
        bare_metal,
    };
    let type_name = need(type_name, "instanceType")?;
    let Some(limits) = InstanceLimits::described(&described) else { return Ok(None) };
    let ebs = ebs.most.and_then(|most| EbsLimit::described(most, &ebs.kind, limits.hypervisor));
    let shape = (|| {
        let vcpus = u32::try_from(vcpus?).ok()?;
        Some(TypeShape { vcpus, memory_mib: memory_mib?, architecture: architecture?, ebs })
    })();
    Ok(Some((type_name, Offer { limits, shape, current, burstable, local_disks, accelerated })))
}

/// The number in the child `wanted`.
fn number(xml: &mut Xml<'_>, wanted: &'static str) -> Result<Option<u64>, Malformed> {
    let mut found = None;
    xml.each(|xml, element| {
        match element {
            _ if element == wanted => found = Some(xml.value(wanted)?),
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    Ok(found)
}

/// The first that EKS has nodes of: Macs have `x86_64_mac` and `arm64_mac`, and old types `i386` beside `x86_64`.
fn processor(xml: &mut Xml<'_>) -> Result<Option<Architecture>, Malformed> {
    let mut found = None;
    xml.each(|xml, element| match element {
        "supportedArchitectures" => xml.items(|xml| {
            let architecture = match &*xml.text()? {
                "x86_64" => Some(Architecture::Amd64),
                "arm64" => Some(Architecture::Arm64),
                _ => None,
            };
            found = found.or(architecture);
            Ok(())
        }),
        _ => xml.skip(),
    })?;
    Ok(found)
}

#[derive(Default)]
struct Ebs<'a> {
    most: Option<u32>,
    kind: Cow<'a, str>,
}

fn ebs_info<'a>(xml: &mut Xml<'a>) -> Result<Ebs<'a>, Malformed> {
    let mut ebs = Ebs::default();
    xml.each(|xml, element| {
        match element {
            "maximumEbsAttachments" => ebs.most = Some(xml.value("maximumEbsAttachments")?),
            "attachmentLimitType" => ebs.kind = xml.text()?,
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    Ok(ebs)
}

#[derive(Default)]
struct Network {
    default_card: u32,
    cards: Vec<(u32, u32)>,
    ipv4_per_eni: u32,
}

fn network_info(xml: &mut Xml<'_>) -> Result<Network, Malformed> {
    let mut network = Network::default();
    xml.each(|xml, element| {
        match element {
            "defaultNetworkCardIndex" => network.default_card = xml.value("defaultNetworkCardIndex")?,
            "ipv4AddressesPerInterface" => network.ipv4_per_eni = xml.value("ipv4AddressesPerInterface")?,
            "networkCards" => network.cards = xml.list(card)?,
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    Ok(network)
}

fn card(xml: &mut Xml<'_>) -> Result<(u32, u32), Malformed> {
    let (mut index, mut enis) = (None, None);
    xml.each(|xml, element| {
        match element {
            "networkCardIndex" => index = Some(xml.value("networkCardIndex")?),
            "maximumNetworkInterfaces" => enis = Some(xml.value("maximumNetworkInterfaces")?),
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    Ok((need(index, "networkCardIndex")?, need(enis, "maximumNetworkInterfaces")?))
}

#[cfg(test)]
mod tests {
    use headroom_capacity::instance::Hypervisor;
    use headroom_capacity::units::Enis;

    use super::*;

    #[test]
    fn a_type_counts_its_default_card_only() {
        let body =
            "<R><instanceTypeSet><item><instanceType>x9.metal</instanceType><bareMetal>true</bareMetal><networkInfo>
            <maximumNetworkInterfaces>30</maximumNetworkInterfaces><defaultNetworkCardIndex>1</defaultNetworkCardIndex>
            <ipv4AddressesPerInterface>50</ipv4AddressesPerInterface><networkCards>
            <item><networkCardIndex>0</networkCardIndex><maximumNetworkInterfaces>8</maximumNetworkInterfaces></item>
            <item><networkCardIndex>1</networkCardIndex><maximumNetworkInterfaces>15</maximumNetworkInterfaces></item>
            </networkCards></networkInfo></item>
            <item><instanceType>odd</instanceType><networkInfo/></item></instanceTypeSet></R>";
        let [(name, Offer { limits, shape, .. })] = &offers(body.as_bytes()).unwrap().rows[..] else {
            panic!("one type has limits")
        };
        assert_eq!(&**name, "x9.metal");
        assert_eq!((limits.enis, limits.ipv4_per_eni, limits.network_cards), (Enis(15), 50, 2));
        assert_eq!((limits.hypervisor, limits.bare_metal, *shape), (Hypervisor::Unknown, true, None));
    }

    /// Two types as EC2 writes them (API reference, `InstanceTypeInfo`), shortened where nothing is read.
    const PAGE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<DescribeInstanceTypesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">
    <requestId>0b8b</requestId>
    <instanceTypeSet>
        <item>
            <autoRecoverySupported>true</autoRecoverySupported>
            <bareMetal>false</bareMetal>
            <burstablePerformanceSupported>false</burstablePerformanceSupported>
            <currentGeneration>true</currentGeneration>
            <dedicatedHostsSupported>true</dedicatedHostsSupported>
            <ebsInfo>
                <attachmentLimitType>dedicated</attachmentLimitType>
                <ebsOptimizedInfo>
                    <baselineBandwidthInMbps>650</baselineBandwidthInMbps>
                </ebsOptimizedInfo>
                <ebsOptimizedSupport>default</ebsOptimizedSupport>
                <encryptionSupport>supported</encryptionSupport>
                <maximumEbsAttachments>32</maximumEbsAttachments>
                <nvmeSupport>required</nvmeSupport>
            </ebsInfo>
            <freeTierEligible>false</freeTierEligible>
            <hypervisor>nitro</hypervisor>
            <instanceStorageSupported>false</instanceStorageSupported>
            <instanceType>m7i.large</instanceType>
            <memoryInfo>
                <sizeInMiB>8192</sizeInMiB>
            </memoryInfo>
            <networkInfo>
                <defaultNetworkCardIndex>0</defaultNetworkCardIndex>
                <ipv4AddressesPerInterface>10</ipv4AddressesPerInterface>
                <maximumNetworkCards>1</maximumNetworkCards>
                <maximumNetworkInterfaces>3</maximumNetworkInterfaces>
                <networkCards>
                    <item>
                        <baselineBandwidthInGbps>0.781</baselineBandwidthInGbps>
                        <maximumNetworkInterfaces>3</maximumNetworkInterfaces>
                        <networkCardIndex>0</networkCardIndex>
                        <networkPerformance>Up to 12.5 Gigabit</networkPerformance>
                    </item>
                </networkCards>
            </networkInfo>
            <processorInfo>
                <manufacturer>Intel</manufacturer>
                <supportedArchitectures>
                    <item>x86_64</item>
                </supportedArchitectures>
                <sustainedClockSpeedInGhz>3.2</sustainedClockSpeedInGhz>
            </processorInfo>
            <vCpuInfo>
                <defaultCores>1</defaultCores>
                <defaultThreadsPerCore>2</defaultThreadsPerCore>
                <defaultVCpus>2</defaultVCpus>
                <validCores>
                    <item>1</item>
                </validCores>
            </vCpuInfo>
        </item>
        <item>
            <bareMetal>false</bareMetal>
            <burstablePerformanceSupported>true</burstablePerformanceSupported>
            <currentGeneration>false</currentGeneration>
            <ebsInfo>
                <attachmentLimitType>shared</attachmentLimitType>
                <maximumEbsAttachments>40</maximumEbsAttachments>
            </ebsInfo>
            <gpuInfo>
                <gpus>
                    <item>
                        <count>1</count>
                        <memoryInfo>
                            <sizeInMiB>16384</sizeInMiB>
                        </memoryInfo>
                    </item>
                </gpus>
                <totalGpuMemoryInMiB>16384</totalGpuMemoryInMiB>
            </gpuInfo>
            <hypervisor>xen</hypervisor>
            <instanceStorageSupported>true</instanceStorageSupported>
            <instanceType>odd.xlarge</instanceType>
            <memoryInfo>
                <sizeInMiB>1024</sizeInMiB>
            </memoryInfo>
            <networkInfo>
                <defaultNetworkCardIndex>0</defaultNetworkCardIndex>
                <ipv4AddressesPerInterface>15</ipv4AddressesPerInterface>
                <networkCards>
                    <item>
                        <maximumNetworkInterfaces>4</maximumNetworkInterfaces>
                        <networkCardIndex>0</networkCardIndex>
                    </item>
                </networkCards>
            </networkInfo>
            <processorInfo>
                <supportedArchitectures>
                    <item>i386</item>
                    <item>x86_64</item>
                </supportedArchitectures>
            </processorInfo>
            <vCpuInfo>
                <defaultVCpus>4</defaultVCpus>
            </vCpuInfo>
        </item>
    </instanceTypeSet>
    <nextToken>more</nextToken>
</DescribeInstanceTypesResponse>";

    #[test]
    fn a_page_as_ec2_writes_it() {
        let page = offers(PAGE.as_bytes()).unwrap();
        assert_eq!(page.next.as_deref(), Some("more"));
        let [(m7i, plain), (odd, other)] = &page.rows[..] else { panic!("two types") };
        let shape = |vcpus, memory_mib, ebs| {
            Some(TypeShape { vcpus, memory_mib, architecture: Architecture::Amd64, ebs: Some(ebs) })
        };
        assert_eq!((&**m7i, plain.shape), ("m7i.large", shape(2, 8192, EbsLimit::Dedicated(32))));
        assert_eq!((plain.limits.enis, plain.limits.ipv4_per_eni), (Enis(3), 10));
        assert!(plain.current && !plain.burstable && !plain.local_disks && !plain.accelerated);
        // Not the GPU's memory; and Xen has 39 places whatever EC2 says.
        assert_eq!((&**odd, other.shape), ("odd.xlarge", shape(4, 1024, EbsLimit::Dedicated(39))));
        assert!(!other.current && other.burstable && other.local_disks && other.accelerated);
    }

    #[test]
    fn a_mac_has_no_shape() {
        let body = PAGE.replace("<item>x86_64</item>", "<item>x86_64_mac</item>").replace("<item>i386</item>", "");
        let shapes = offers(body.as_bytes()).unwrap().rows;
        assert!(shapes.iter().all(|(_, offer)| offer.shape.is_none()));
    }
}
